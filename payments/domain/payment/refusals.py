"""Refusals: why the state of a payment does not allow a command.

A refusal carries data. The API and the screens render its fields; `str()` is a sentence for logs and
for programmers. `code` is stable and public.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from payments.domain.money import Money
from payments.domain.payment.codes import DisputeOutcome
from payments.domain.payment.state import Review, Status


def second(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(kw_only=True, eq=False)
class PaymentError(Exception):
    """A command that the state of the payment does not allow."""

    code: ClassVar[str]

    payment_id: UUID


@dataclass(kw_only=True, eq=False)
class PaymentNotFound(PaymentError):
    """The payment does not exist, or the caller may not see it. The refusal does not reveal which."""

    code = "payment_not_found"

    def __str__(self) -> str:
        return f"There is no payment {self.payment_id}."


@dataclass(kw_only=True, eq=False)
class PaymentAlreadyFinished(PaymentError):
    """The payment is finished. `refundable` is whether a refund is possible instead."""

    code = "payment_already_finished"

    status: Status
    refundable: bool = False

    def __str__(self) -> str:
        hint = " Refund it instead." if self.refundable else ""
        return f"Payment {self.payment_id} is already {self.status}.{hint}"


@dataclass(kw_only=True, eq=False)
class PaymentUnderReview(PaymentError):
    """The payment waits for a reviewer's decision."""

    code = "payment_under_review"

    status: Status = Status.PENDING_REVIEW

    def __str__(self) -> str:
        return f"Payment {self.payment_id} waits for review."


@dataclass(kw_only=True, eq=False)
class PaymentDiffers(PaymentError):
    """The payment was initiated with another amount, method or customer."""

    code = "payment_differs"

    def __str__(self) -> str:
        return f"Payment {self.payment_id} was initiated with other terms."


@dataclass(kw_only=True, eq=False)
class NotAwaitingReview(PaymentError):
    """The payment does not wait for a decision. `review` is the decision, if a person made one."""

    code = "not_under_review"

    status: Status
    review: Review | None = None

    def __str__(self) -> str:
        if self.review is None:
            return f"Payment {self.payment_id} is {self.status} and needs no decision."
        decision, by = self.review.decision, self.review.reviewer
        return f"Payment {self.payment_id} was {decision} by {by} at {second(self.review.at)}."


@dataclass(kw_only=True, eq=False)
class ReviewExpired(PaymentError):
    """The deadline of the review has passed."""

    code = "review_expired"

    deadline: datetime

    def __str__(self) -> str:
        return f"Payment {self.payment_id} had to be decided before {second(self.deadline)}."


@dataclass(kw_only=True, eq=False)
class ReviewNotDue(PaymentError):
    """The deadline of the review has not passed."""

    code = "review_not_due"

    deadline: datetime

    def __str__(self) -> str:
        return f"Payment {self.payment_id} can be decided until {second(self.deadline)}."


@dataclass(kw_only=True, eq=False)
class ReviewTaken(PaymentError):
    """A reviewer has claimed the payment, usually one other than the caller."""

    code = "review_claimed"

    claimed_by: str
    claimed_until: datetime

    def __str__(self) -> str:
        until = second(self.claimed_until)
        return f"{self.claimed_by} has claimed payment {self.payment_id} until {until}."


@dataclass(kw_only=True, eq=False)
class NotClaimed(PaymentError):
    """There is no claim to release."""

    code = "review_not_claimed"

    def __str__(self) -> str:
        return f"Nobody has claimed payment {self.payment_id}."


@dataclass(kw_only=True, eq=False)
class AlreadyEscalated(PaymentError):
    """The payment was escalated before."""

    code = "review_escalated"

    def __str__(self) -> str:
        return f"Payment {self.payment_id} is already escalated to the senior reviewers."


@dataclass(kw_only=True, eq=False)
class SeniorReviewerNeeded(PaymentError):
    """Only a senior reviewer may decide: the payment was escalated, or has a first approval."""

    code = "senior_reviewer_needed"

    escalated: bool

    def __str__(self) -> str:
        why = "was escalated" if self.escalated else "has a first approval"
        return f"Payment {self.payment_id} {why}. A senior reviewer must decide."


@dataclass(kw_only=True, eq=False)
class AnotherPersonNeeded(PaymentError):
    """Two people have to approve, and `reviewer` cannot be the next one.

    `reviewer` gave the first approval, or proposed the risk policy that flagged the payment.
    """

    code = "another_person_needed"

    reviewer: str
    proposed_policy: bool = False

    def __str__(self) -> str:
        if self.proposed_policy:
            return (
                f"{self.reviewer} proposed the risk policy that flagged payment {self.payment_id}."
                " Two other people must approve it."
            )
        return (
            f"{self.reviewer} gave the first approval of payment {self.payment_id}. Another person must"
            " give the second."
        )


@dataclass(kw_only=True, eq=False)
class NoteNeeded(PaymentError):
    """The command needs a note: an escalation, or an approval against the policy's advice or a block."""

    code = "note_needed"

    reject_advised: bool = False
    customer_blocked: bool = False

    def __str__(self) -> str:
        if self.customer_blocked:
            return (
                f"The customer of payment {self.payment_id} is blocked. Explain in a note why you approve"
                " the payment."
            )
        if self.reject_advised:
            return (
                f"The risk policy advises to reject payment {self.payment_id}. Explain in a note why you"
                " approve it."
            )
        return "Describe in a note what the senior reviewers should check."


@dataclass(kw_only=True, eq=False)
class NotRefundable(PaymentError):
    """The payment is not completed, or nothing remains of it. `lost` is set if disputes took the rest."""

    code = "not_refundable"

    status: Status
    lost: Money | None = None

    def __str__(self) -> str:
        if self.lost is not None:
            return f"Disputes took {self.lost} of payment {self.payment_id}. Nothing remains to refund."
        return f"Payment {self.payment_id} is {self.status} and cannot be refunded."


@dataclass(kw_only=True, eq=False)
class RefundTooLarge(PaymentError):
    """The refund is not between one minor unit and the remaining amount, `refundable`."""

    code = "refund_too_large"

    refund: Money
    refundable: Money

    def __str__(self) -> str:
        return f"At most {self.refundable} of payment {self.payment_id} can be refunded, not {self.refund}."


@dataclass(kw_only=True, eq=False)
class RefundCurrencyDiffers(PaymentError):
    """The refund is not in the payment's currency, `currency`."""

    code = "refund_currency_differs"

    currency: str

    def __str__(self) -> str:
        return f"Payment {self.payment_id} can only be refunded in {self.currency}."


@dataclass(kw_only=True, eq=False)
class DisputeOpen(PaymentError):
    """While `dispute_id` is open, a refund is refused: it could pay an amount back twice."""

    code = "dispute_open"

    dispute_id: str

    def __str__(self) -> str:
        return f"Dispute {self.dispute_id} of payment {self.payment_id} is open. Close it before a refund."


@dataclass(kw_only=True, eq=False)
class NotDisputable(PaymentError):
    """The payment was never completed."""

    code = "not_disputable"

    status: Status

    def __str__(self) -> str:
        return f"Payment {self.payment_id} is {self.status} and cannot be disputed."


@dataclass(kw_only=True, eq=False)
class DisputeNotFound(PaymentError):
    """The payment has no dispute with this id."""

    code = "dispute_not_found"

    dispute_id: str

    def __str__(self) -> str:
        return f"Payment {self.payment_id} has no dispute {self.dispute_id}."


@dataclass(kw_only=True, eq=False)
class DisputeClosed(PaymentError):
    """The dispute ended before the response, or the notice would undo its final loss."""

    code = "dispute_closed"

    dispute_id: str
    outcome: DisputeOutcome
    closed_at: datetime

    def __str__(self) -> str:
        return (
            f"Dispute {self.dispute_id} of payment {self.payment_id} was closed as {self.outcome} at"
            f" {second(self.closed_at)}."
        )


@dataclass(kw_only=True, eq=False)
class DisputeContradicted(PaymentError):
    """An earlier notice of the same kind and time has different values in `fields`."""

    code = "dispute_contradicted"

    dispute_id: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"An earlier notice of dispute {self.dispute_id} at the same time has another"
            f" {', '.join(self.fields)}."
        )


@dataclass(kw_only=True, eq=False)
class DisputeTooLarge(PaymentError):
    """The amount is too small, or exceeds `disputable`, the amount that no other dispute takes."""

    code = "dispute_too_large"

    disputed: Money
    disputable: Money

    def __str__(self) -> str:
        return (
            f"At most {self.disputable} of payment {self.payment_id} can be disputed, not"
            f" {self.disputed}."
        )


@dataclass(kw_only=True, eq=False)
class DisputeCurrencyDiffers(PaymentError):
    """The notice is not in the payment's currency, `currency`."""

    code = "dispute_currency_differs"

    currency: str

    def __str__(self) -> str:
        return f"Payment {self.payment_id} can only be disputed in {self.currency}."


@dataclass(kw_only=True, eq=False)
class DisputeLossInvalid(PaymentError):
    """The outcome excludes the lost amount: a dispute that was won or withdrawn takes nothing."""

    code = "dispute_loss_invalid"

    outcome: DisputeOutcome
    lost: Money

    def __str__(self) -> str:
        return f"A dispute that was {self.outcome} does not take {self.lost}."


@dataclass(kw_only=True, eq=False)
class TooManyDisputes(PaymentError):
    """The payment has `limit` disputes."""

    code = "too_many_disputes"

    limit: int

    def __str__(self) -> str:
        return f"Payment {self.payment_id} has {self.limit} disputes, which is the most."


@dataclass(kw_only=True, eq=False)
class TooManyResponses(PaymentError):
    """The dispute has `limit` responses."""

    code = "too_many_responses"

    dispute_id: str
    limit: int

    def __str__(self) -> str:
        return (
            f"Dispute {self.dispute_id} of payment {self.payment_id} has {self.limit} responses, which is"
            " the most."
        )
