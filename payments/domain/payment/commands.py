"""The commands of a payment, named in the imperative. Time and ids are arguments."""

from datetime import datetime
from typing import ClassVar
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
    RefundReason,
    RejectionReason,
    SnoozeReason,
)
from payments.domain.payment.events import NoteRef
from payments.domain.risk.conditions import RiskFeatures
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.domain.signals import Signals


class Command(Struct, frozen=True, kw_only=True):
    """The fields of every command.

    `client_id` restricts the command to that client's payments. With None it may change any payment.
    """

    name: ClassVar[str]

    payment_id: UUID
    client_id: UUID | None
    at: datetime


class ProcessPayment(Command, frozen=True, kw_only=True):
    """Process a payment.

    If `features` is None, the risk is not assessed, as for imported payments. `policy_author` is the
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
    """A person's command on a payment under review.

    `reviewer` is their actor id. `senior` is whether they are a senior reviewer.
    """

    reviewer: str
    senior: bool = False


class ClaimReview(ReviewCommand, frozen=True, kw_only=True):
    """Claim the payment for a while, or renew the reviewer's own claim."""

    name: ClassVar[str] = "claim_review"


class ClaimNextReview(ClaimReview, frozen=True, kw_only=True):
    """Claim a payment as the next one in the queue. A repetition finds the same payment."""

    name: ClassVar[str] = "claim_next_review"


class TakeOverReview(ClaimReview, frozen=True, kw_only=True):
    """Replace the claim of the actor `holder`. Only senior reviewers can do so."""

    name: ClassVar[str] = "take_over_review"

    holder: str


class ReleaseReview(ReviewCommand, frozen=True, kw_only=True):
    """End a claim early. Senior reviewers can also end the claims of others."""

    name: ClassVar[str] = "release_review"


class SnoozeReview(ReviewCommand, frozen=True, kw_only=True):
    """Let the payment wait until `until`, and end the claim."""

    name: ClassVar[str] = "snooze_review"

    until: datetime
    reason: SnoozeReason
    note: NoteRef | None = None


class ResumeReview(ReviewCommand, frozen=True, kw_only=True):
    """End a snooze early."""

    name: ClassVar[str] = "resume_review"


class AssignReview(ReviewCommand, frozen=True, kw_only=True):
    """Assign the payment to the actor `to`, or to nobody if `to` is None.

    The assignment ends the claim of anybody else. `to_reviews` is whether `to` is a reviewer, and
    `to_senior` is whether they are a senior reviewer.
    """

    name: ClassVar[str] = "assign_review"

    to: str | None
    note: NoteRef | None = None
    to_reviews: bool = False
    to_senior: bool = False


class EscalateReview(ReviewCommand, frozen=True, kw_only=True):
    """Hand the payment over to the senior reviewers."""

    name: ClassVar[str] = "escalate_review"

    reason: EscalationReason
    note: NoteRef | None = None


class ApprovePayment(ReviewCommand, frozen=True, kw_only=True):
    """Approve a payment under review."""

    name: ClassVar[str] = "approve_payment"

    reason: ApprovalReason
    note: NoteRef | None = None
    customer_blocked: bool = False  # at the time of the command


class RejectPayment(ReviewCommand, frozen=True, kw_only=True):
    """Reject a payment under review, permanently."""

    name: ClassVar[str] = "reject_payment"

    reason: RejectionReason
    note: NoteRef | None = None


class ExpireReview(Command, frozen=True, kw_only=True):
    """End a review whose deadline has passed."""

    name: ClassVar[str] = "expire_review"


class CancelPayment(Command, frozen=True, kw_only=True):
    """Cancel a payment that is not completed."""

    name: ClassVar[str] = "cancel_payment"

    reason: CancellationReason
    note: NoteRef | None = None


class RefundPayment(Command, frozen=True, kw_only=True):
    """Refund `amount` of a completed payment, or the remaining amount if it is None."""

    name: ClassVar[str] = "refund_payment"

    refund_id: UUID
    amount: Money | None
    reason: RefundReason
    reference: str | None = None
    note: NoteRef | None = None


class AddNote(Command, frozen=True, kw_only=True):
    """Add a note without a decision, to a payment in any state. `author` is a reviewer's actor id.

    `files` are the hex SHA-256 digests of the attached bytes, to recognize a repetition.
    """

    name: ClassVar[str] = "add_note"

    author: str
    note: NoteRef
    mentions: tuple[str, ...] = ()
    attachments: tuple[AttachmentRef, ...] = ()
    files: tuple[str, ...] = ()


class DisputeCommand(Command, frozen=True, kw_only=True):
    """A command on a dispute. `dispute_id` is the id that the provider or the client gave it."""

    dispute_id: str


class StateDispute(DisputeCommand, frozen=True, kw_only=True):
    """A complete statement of what is disputed."""

    kind: DisputeKind
    reason: DisputeReason
    amount: Money
    network: str | None = None
    network_reason_code: str | None = None
    respond_by: datetime | None = None


class OpenDispute(StateDispute, frozen=True, kw_only=True):
    """Record the notice that a dispute was opened."""

    name: ClassVar[str] = "open_dispute"

    opened_at: datetime


class UpdateDispute(StateDispute, frozen=True, kw_only=True):
    """Record the notice that a dispute has changed, for example from an inquiry to a chargeback."""

    name: ClassVar[str] = "update_dispute"

    updated_at: datetime


class RespondToDispute(DisputeCommand, frozen=True, kw_only=True):
    """Record that an actor, `responder`, contests the dispute. `evidence` holds hex SHA-256 digests."""

    name: ClassVar[str] = "respond_to_dispute"

    responder: str
    responded_at: datetime | None = None  # None: now
    note: NoteRef | None = None
    evidence: tuple[str, ...] = ()


class CloseDispute(DisputeCommand, frozen=True, kw_only=True):
    """Record the notice that a dispute has ended and took `lost_amount`.

    The fields after `closed_at` describe the dispute, in case no other notice of it arrives. If
    `amount` is None, the disputed amount is the lost one, or the whole payment if nothing was lost.
    """

    name: ClassVar[str] = "close_dispute"

    outcome: DisputeOutcome
    lost_amount: Money
    closed_at: datetime
    kind: DisputeKind = DisputeKind.CHARGEBACK
    reason: DisputeReason = DisputeReason.GENERAL
    amount: Money | None = None
    network: str | None = None
    network_reason_code: str | None = None


AnyNotice = OpenDispute | UpdateDispute | CloseDispute
AnyDisputeCommand = AnyNotice | RespondToDispute
AnyReviewCommand = (
    ClaimReview
    | ReleaseReview
    | SnoozeReview
    | ResumeReview
    | AssignReview
    | EscalateReview
    | ApprovePayment
    | RejectPayment
)
PaymentCommand = (
    ProcessPayment
    | AnyReviewCommand
    | ExpireReview
    | CancelPayment
    | RefundPayment
    | AddNote
    | AnyDisputeCommand
)
