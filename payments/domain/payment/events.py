"""The events of a payment: facts in past tense, frozen, stored under names that never change.

Every event carries all that a projection needs (client, customer, amount, method, when it began,
when it was flagged), because an upcaster can rename what was stored but cannot invent what was not.
Nothing personal is stored: a customer is a keyed hash, a person an actor id, a note its id and a
salted digest.
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final, get_args
from uuid import UUID

from msgspec import Struct

from payments.domain.cards import Card
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.risk.assessment import RiskAssessment
from payments.domain.signals import Signals


class FailureReason(StrEnum):
    METHOD_LIMIT_EXCEEDED = "method_limit_exceeded"
    BLOCKED_BY_POLICY = "blocked_by_policy"


class ApprovalReason(StrEnum):
    VERIFIED_WITH_CUSTOMER = "verified_with_customer"
    KNOWN_CUSTOMER = "known_customer"
    DOCUMENTS_CHECKED = "documents_checked"
    OTHER = "other"


class RejectionReason(StrEnum):
    SUSPECTED_FRAUD = "suspected_fraud"
    CUSTOMER_UNREACHABLE = "customer_unreachable"
    DOCUMENTS_MISSING = "documents_missing"
    OTHER = "other"


class EscalationReason(StrEnum):
    BEYOND_MY_AUTHORITY = "beyond_my_authority"
    SUSPICIOUS_PATTERN = "suspicious_pattern"
    SECOND_OPINION = "second_opinion"
    OTHER = "other"


class CancellationReason(StrEnum):
    REQUESTED_BY_CUSTOMER = "requested_by_customer"
    DUPLICATE = "duplicate"
    OTHER = "other"


class RefundReason(StrEnum):
    REQUESTED_BY_CUSTOMER = "requested_by_customer"
    DUPLICATE = "duplicate"
    FRAUDULENT = "fraudulent"
    OTHER = "other"


class NoteRef(Struct, frozen=True, gc=False):
    """A reviewer's note as the log knows it. The text is kept where it can be erased."""

    note_id: UUID
    digest: str  # hex SHA-256 of the salt that is kept with the text, and the text


class PaymentEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What every event of a payment says. `at` is when it happened: the log's `occurred_at`.

    No event can be part of a cycle, so the collector need not look at the thousands that a load or
    a rebuild makes: looking took as long as decoding them.
    """

    event_type: ClassVar[str]
    schema_version: ClassVar[int] = 1

    at: datetime
    client_id: UUID
    customer_id: UUID
    amount: Money
    method: Method
    initiated_at: datetime
    flagged_at: datetime | None = None


class PaymentInitiated(PaymentEvent, frozen=True, kw_only=True):
    event_type: ClassVar[str] = "payment.initiated"

    reference: str | None = None  # the client's own id of the payment
    card: Card | None = None
    signals: Signals | None = None


class PaymentProcessed(PaymentEvent, frozen=True, kw_only=True):
    """The payment is completed.

    `risk` is None where nothing was scored, or where a person had decided.
    """

    event_type: ClassVar[str] = "payment.processed"

    risk: RiskAssessment | None = None


class PaymentFailed(PaymentEvent, frozen=True, kw_only=True):
    event_type: ClassVar[str] = "payment.failed"

    reason: FailureReason
    limit: Money | None = None
    risk: RiskAssessment | None = None  # what blocked it, if that was the policy


class PaymentFlaggedForReview(PaymentEvent, frozen=True, kw_only=True):
    """Somebody has to decide by `deadline`; None in events that were stored before there was one."""

    event_type: ClassVar[str] = "payment.flagged_for_review"

    risk: RiskAssessment
    deadline: datetime | None = None
    policy_author: str | None = None  # who proposed the policy; None: nobody did, it is built in


class ReviewClaimed(PaymentEvent, frozen=True, kw_only=True):
    """The payment is the reviewer's to decide on until `until`, if it is not released before."""

    event_type: ClassVar[str] = "payment.review_claimed"

    reviewer: str
    until: datetime


class ReviewReleased(PaymentEvent, frozen=True, kw_only=True):
    """Anybody may claim the payment again. `reviewer` had it; the log's actor gave or took it away."""

    event_type: ClassVar[str] = "payment.review_released"

    reviewer: str


class ReviewEscalated(PaymentEvent, frozen=True, kw_only=True):
    """From here on only senior reviewers claim the payment and decide on it."""

    event_type: ClassVar[str] = "payment.review_escalated"

    reviewer: str
    reason: EscalationReason
    note: NoteRef


class PaymentFirstApproved(PaymentEvent, frozen=True, kw_only=True):
    """The first of two people has approved; it goes through when a second one does."""

    event_type: ClassVar[str] = "payment.first_approved"

    reviewer: str
    reason: ApprovalReason
    note: NoteRef | None = None


class PaymentApproved(PaymentEvent, frozen=True, kw_only=True):
    event_type: ClassVar[str] = "payment.approved"

    reviewer: str
    reason: ApprovalReason
    note: NoteRef | None = None


class PaymentRejected(PaymentEvent, frozen=True, kw_only=True):
    event_type: ClassVar[str] = "payment.rejected"

    reviewer: str
    reason: RejectionReason
    note: NoteRef | None = None


class PaymentExpired(PaymentEvent, frozen=True, kw_only=True):
    """Nobody decided in time, so the payment does not go through."""

    event_type: ClassVar[str] = "payment.expired"

    deadline: datetime


class PaymentCancelled(PaymentEvent, frozen=True, kw_only=True):
    """Called off before it was completed."""

    event_type: ClassVar[str] = "payment.cancelled"

    reason: CancellationReason


class PaymentRefunded(PaymentEvent, frozen=True, kw_only=True):
    """Some or all of a completed payment was given back; `refunded` is all so far, this included."""

    event_type: ClassVar[str] = "payment.refunded"

    refund_id: UUID
    refund: Money
    refunded: Money
    reason: RefundReason


AnyPaymentEvent = (
    PaymentInitiated
    | PaymentProcessed
    | PaymentFailed
    | PaymentFlaggedForReview
    | ReviewClaimed
    | ReviewReleased
    | ReviewEscalated
    | PaymentFirstApproved
    | PaymentApproved
    | PaymentRejected
    | PaymentExpired
    | PaymentCancelled
    | PaymentRefunded
)

EVENT_CLASSES: Final[tuple[type[AnyPaymentEvent], ...]] = get_args(AnyPaymentEvent)
