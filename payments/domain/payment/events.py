"""The events of a payment: immutable facts in past tense, stored under permanent names.

Every event repeats the terms of the payment that projections need. An upcast can rename a stored field,
but it cannot invent a missing one. Events hold no personal data: a customer is a keyed hash, a person
an actor id, and a note its id and a salted digest.
"""

from datetime import datetime
from typing import ClassVar, Final, get_args
from uuid import UUID

from msgspec import Struct

from payments.domain.cards import Card
from payments.domain.files import AttachmentRef
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.codes import (
    ApprovalReason,
    CancellationReason,
    DisputeKind,
    DisputeOutcome,
    DisputeReason,
    EscalationReason,
    FailureReason,
    RefundReason,
    RejectionReason,
    SnoozeReason,
)
from payments.domain.payment.findings import Finding
from payments.domain.risk.assessment import RiskAssessment
from payments.domain.signals import Signals


class NoteRef(Struct, frozen=True, gc=False):
    """A reference to a reviewer's note. The text is stored where it can be erased."""

    note_id: UUID
    digest: str  # hex SHA-256 of salt and text; the salt is stored with the text


class PaymentEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The fields of every event of a payment. `at` is the log's `occurred_at`.

    Events cannot form cycles, so the garbage collector does not track them (`gc=False`). Tracking the
    thousands that a rebuild creates took as long as decoding them.
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

    reference: str | None = None  # the client's id for the payment
    card: Card | None = None
    signals: Signals | None = None


class PaymentProcessed(PaymentEvent, frozen=True, kw_only=True):
    """The payment is completed. `risk` is None if it was not scored, or if a person decided."""

    event_type: ClassVar[str] = "payment.processed"

    risk: RiskAssessment | None = None


class PaymentFailed(PaymentEvent, frozen=True, kw_only=True):
    event_type: ClassVar[str] = "payment.failed"

    reason: FailureReason
    limit: Money | None = None
    risk: RiskAssessment | None = None  # the assessment, if the policy blocked it


class PaymentFlaggedForReview(PaymentEvent, frozen=True, kw_only=True):
    """A reviewer must decide before `deadline`, which the oldest events do not have."""

    event_type: ClassVar[str] = "payment.flagged_for_review"

    risk: RiskAssessment
    deadline: datetime | None = None
    policy_author: str | None = None  # the actor who proposed the policy; None: built in


class ReviewClaimed(PaymentEvent, frozen=True, kw_only=True):
    """Until `until` or an earlier release, only the reviewer can decide on the payment.

    `extends` is whether the reviewer held the payment already. Events older than the field do not
    set it.
    """

    event_type: ClassVar[str] = "payment.review_claimed"

    reviewer: str
    until: datetime
    extends: bool = False


class ReviewReleased(PaymentEvent, frozen=True, kw_only=True):
    """The claim of `reviewer` has ended. The actor of the event's metadata ended it."""

    event_type: ClassVar[str] = "payment.review_released"

    reviewer: str


class ReviewSnoozed(PaymentEvent, frozen=True, kw_only=True):
    """The payment waits until `until`, and any claim has ended. It returns by itself, without an event."""

    event_type: ClassVar[str] = "payment.review_snoozed"

    reviewer: str
    until: datetime
    reason: SnoozeReason
    note: NoteRef | None = None


class ReviewResumed(PaymentEvent, frozen=True, kw_only=True):
    """The reviewer has ended the snooze early."""

    event_type: ClassVar[str] = "payment.review_resumed"

    reviewer: str


class ReviewAssigned(PaymentEvent, frozen=True, kw_only=True):
    """The actor `by` has assigned the payment to the reviewer `to`, or to nobody if it is None."""

    event_type: ClassVar[str] = "payment.review_assigned"

    to: str | None
    by: str
    note: NoteRef | None = None


class ReviewEscalated(PaymentEvent, frozen=True, kw_only=True):
    """Only senior reviewers can claim the payment and decide on it from now on."""

    event_type: ClassVar[str] = "payment.review_escalated"

    reviewer: str
    reason: EscalationReason
    note: NoteRef


class ReviewDecision(PaymentEvent, frozen=True, kw_only=True):
    """The fields of every decision of a reviewer.

    `claimed_at` is when the reviewer's claim began. It is None if there was no claim, and in events
    older than the field.
    """

    reviewer: str
    note: NoteRef | None = None
    claimed_at: datetime | None = None


class PaymentFirstApproved(ReviewDecision, frozen=True, kw_only=True):
    """The first of two people has approved. The payment completes when the second approves."""

    event_type: ClassVar[str] = "payment.first_approved"

    reason: ApprovalReason


class PaymentApproved(ReviewDecision, frozen=True, kw_only=True):
    event_type: ClassVar[str] = "payment.approved"

    reason: ApprovalReason


class PaymentRejected(ReviewDecision, frozen=True, kw_only=True):
    event_type: ClassVar[str] = "payment.rejected"

    reason: RejectionReason


class PaymentExpired(PaymentEvent, frozen=True, kw_only=True):
    """Nobody decided before the deadline, so the payment is not completed.

    `held_by` is the reviewer whose claim lasted until the deadline. It is None if there was no such
    claim, and in events older than the field.
    """

    event_type: ClassVar[str] = "payment.expired"

    deadline: datetime
    held_by: str | None = None


class PaymentCancelled(PaymentEvent, frozen=True, kw_only=True):
    """The payment was cancelled before it was completed."""

    event_type: ClassVar[str] = "payment.cancelled"

    reason: CancellationReason
    note: NoteRef | None = None


class PaymentRefunded(PaymentEvent, frozen=True, kw_only=True):
    """A part or all of a completed payment was refunded. `refunded` is the total, including this refund.

    `finding` is set if the refund changes whether an approved payment is known to be fraud.
    """

    event_type: ClassVar[str] = "payment.refunded"

    refund_id: UUID
    refund: Money
    refunded: Money
    reason: RefundReason
    reference: str | None = None  # the client's id for the refund
    finding: Finding | None = None
    note: NoteRef | None = None


class PaymentNoteAdded(PaymentEvent, frozen=True, kw_only=True):
    """A reviewer wrote a note without a decision. `mentions` are the actors whom it notified."""

    event_type: ClassVar[str] = "payment.note_added"

    author: str
    note: NoteRef
    mentions: tuple[str, ...] = ()
    attachments: tuple[AttachmentRef, ...] = ()


class DisputeFigures(Struct, frozen=True, gc=False):
    """The figures of a dispute that sums need. The dispute is open while `lost` is None."""

    opened_at: datetime
    disputed: Money
    lost: Money | None = None


class DisputeEvent(PaymentEvent, frozen=True, kw_only=True):
    """The fields of every event of a dispute. `at` is when it was recorded, not the notice's time.

    `refunded` is the total of the refunds so far, from which the payment's status follows. `before`
    and `after` are the figures of the dispute, so that sums need no other event. `before` is None
    if the dispute is new. `finding` is set if the event changes whether an approved payment is
    known to be fraud.
    """

    dispute_id: str  # the provider's or the client's id
    refunded: Money | None = None
    before: DisputeFigures | None = None
    after: DisputeFigures | None = None
    finding: Finding | None = None


class DisputeStatement(DisputeEvent, frozen=True, kw_only=True):
    """A complete statement of what is disputed. The latest one counts."""

    kind: DisputeKind
    reason: DisputeReason
    network: str | None = None
    network_reason_code: str | None = None
    disputed: Money
    respond_by: datetime | None = None


class PaymentDisputed(DisputeStatement, frozen=True, kw_only=True):
    """The customer disputes the payment or a part of it: the first event of each dispute.

    If `inferred`, another notice has revealed the dispute, and `opened_at` is the time of that notice. The
    notice of the opening may follow as another event of this type.
    """

    event_type: ClassVar[str] = "payment.disputed"

    opened_at: datetime
    inferred: bool = False


class PaymentDisputeUpdated(DisputeStatement, frozen=True, kw_only=True):
    event_type: ClassVar[str] = "payment.dispute_updated"

    updated_at: datetime


class PaymentDisputeResponded(DisputeEvent, frozen=True, kw_only=True):
    """The actor `by` has contested the dispute. `evidence` holds hex SHA-256 digests of documents."""

    event_type: ClassVar[str] = "payment.dispute_responded"

    by: str
    responded_at: datetime
    note: NoteRef | None = None
    evidence: tuple[str, ...] = ()


class PaymentDisputeClosed(DisputeEvent, frozen=True, kw_only=True):
    """The dispute has ended, and the amount `lost` is gone."""

    event_type: ClassVar[str] = "payment.dispute_closed"

    outcome: DisputeOutcome
    lost: Money
    closed_at: datetime


AnyDisputeEvent = (
    PaymentDisputed | PaymentDisputeUpdated | PaymentDisputeResponded | PaymentDisputeClosed
)
AnyPaymentEvent = (
    PaymentInitiated
    | PaymentProcessed
    | PaymentFailed
    | PaymentFlaggedForReview
    | ReviewClaimed
    | ReviewReleased
    | ReviewSnoozed
    | ReviewResumed
    | ReviewAssigned
    | ReviewEscalated
    | PaymentFirstApproved
    | PaymentApproved
    | PaymentRejected
    | PaymentExpired
    | PaymentCancelled
    | PaymentRefunded
    | PaymentNoteAdded
    | AnyDisputeEvent
)

EVENT_CLASSES: Final[tuple[type[AnyPaymentEvent], ...]] = get_args(AnyPaymentEvent)
