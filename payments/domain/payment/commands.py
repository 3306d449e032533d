"""The commands of a payment: what somebody wants, in the imperative. Time and ids are arguments."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from payments.domain.cards import Card
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.events import (
    ApprovalReason,
    CancellationReason,
    EscalationReason,
    NoteRef,
    RefundReason,
    RejectionReason,
)
from payments.domain.risk.conditions import RiskFeatures
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.domain.signals import Signals


class Command(Struct, frozen=True, kw_only=True):
    """What every command says: which payment, when, among which client's (None: among all)."""

    name: ClassVar[str]

    payment_id: UUID
    client_id: UUID | None
    at: datetime


class ProcessPayment(Command, frozen=True, kw_only=True):
    """Take a payment.

    `features` is None where risk is not assessed, as for payments of the past. `policy_author` is the
    actor who proposed the policy.
    """

    name: ClassVar[str] = "process_payment"

    client_id: UUID
    customer_id: UUID
    amount: Money
    method: Method
    reference: str | None = None
    card: Card | None = None
    signals: Signals | None = None
    features: RiskFeatures | None = None
    policy: RiskPolicy = DEFAULT_POLICY
    policy_author: str | None = None


class ReviewCommand(Command, frozen=True, kw_only=True):
    """What a person does about a payment under review.

    `reviewer` is the staff member's actor id, `senior` whether they are a senior reviewer.
    """

    reviewer: str
    senior: bool = False


class ClaimReview(ReviewCommand, frozen=True, kw_only=True):
    """Keep the payment for the reviewer for a while, or for longer if it is theirs already."""

    name: ClassVar[str] = "claim_review"


class ClaimNextReview(ClaimReview, frozen=True, kw_only=True):
    """Claim this one because it comes next in the queue: repeated, it finds the one of the first time."""

    name: ClassVar[str] = "claim_next_review"


class TakeOverReview(ClaimReview, frozen=True, kw_only=True):
    """Claim the payment in place of `holder`, the actor who has claimed it: for senior reviewers."""

    name: ClassVar[str] = "take_over_review"

    holder: str


class ReleaseReview(ReviewCommand, frozen=True, kw_only=True):
    """Give the payment back before the time is over; senior reviewers also take it from others."""

    name: ClassVar[str] = "release_review"


class EscalateReview(ReviewCommand, frozen=True, kw_only=True):
    """Leave the payment to senior reviewers."""

    name: ClassVar[str] = "escalate_review"

    reason: EscalationReason
    note: NoteRef | None = None


class ApprovePayment(ReviewCommand, frozen=True, kw_only=True):
    """Let a payment under review go through."""

    name: ClassVar[str] = "approve_payment"

    reason: ApprovalReason
    note: NoteRef | None = None


class RejectPayment(ReviewCommand, frozen=True, kw_only=True):
    """Refuse a payment under review for good."""

    name: ClassVar[str] = "reject_payment"

    reason: RejectionReason
    note: NoteRef | None = None


class ExpireReview(Command, frozen=True, kw_only=True):
    """Give up on a review that nobody finished in time."""

    name: ClassVar[str] = "expire_review"


class CancelPayment(Command, frozen=True, kw_only=True):
    """Call off a payment that is not completed yet."""

    name: ClassVar[str] = "cancel_payment"

    reason: CancellationReason


class RefundPayment(Command, frozen=True, kw_only=True):
    """Give back `amount` of a completed payment; None is all that is left of it."""

    name: ClassVar[str] = "refund_payment"

    refund_id: UUID
    amount: Money | None
    reason: RefundReason


AnyReviewCommand = ClaimReview | ReleaseReview | EscalateReview | ApprovePayment | RejectPayment
PaymentCommand = ProcessPayment | AnyReviewCommand | ExpireReview | CancelPayment | RefundPayment
