"""The texts of refusals on the page of a payment: with names instead of ids."""

from payments.domain.payment.refusals import (
    AlreadyEscalated,
    AnotherPersonNeeded,
    NotAwaitingReview,
    NotClaimed,
    NoteNeeded,
    NotRefundable,
    PaymentAlreadyFinished,
    PaymentDiffers,
    PaymentError,
    PaymentNotFound,
    PaymentUnderReview,
    RefundCurrencyDiffers,
    RefundTooLarge,
    ReviewExpired,
    ReviewNotDue,
    ReviewTaken,
    SeniorReviewerNeeded,
    second as second_of,
)
from readmodels.labels import people


def describe(error: PaymentError) -> str:  # noqa: C901, PLR0912 - a line for each refusal
    """Return the refusal as a sentence for the person who gave the command."""
    match error:
        case PaymentNotFound():
            return "There is no such payment."
        case PaymentAlreadyFinished(status=status, refundable=refundable):
            return f"This payment is already {status}.{' Refund it instead.' if refundable else ''}"
        case PaymentUnderReview():
            return "This payment waits for review."
        case PaymentDiffers():
            return "This payment was initiated on other terms."
        case NotAwaitingReview(status=status, review=None):
            return f"This payment is {status}, nothing waits for a decision."
        case NotAwaitingReview(review=review) if review is not None:
            by = name(review.reviewer)
            return f"This payment was {review.decision} by {by} at {second_of(review.at)}."
        case ReviewExpired(deadline=deadline):
            return f"This payment had to be decided by {second_of(deadline)}."
        case ReviewNotDue(deadline=deadline):
            return f"This payment may be decided until {second_of(deadline)}."
        case ReviewTaken(claimed_by=reviewer, claimed_until=until):
            return f"{name(reviewer)} has claimed this payment until {second_of(until)}."
        case NotClaimed():
            return "Nobody has claimed this payment."
        case AlreadyEscalated():
            return "This payment is with the senior reviewers already."
        case SeniorReviewerNeeded(escalated=escalated):
            why = "was escalated" if escalated else "needs a second approval"
            return f"This payment {why}: a senior reviewer has to decide."
        case AnotherPersonNeeded(reviewer=reviewer, proposed_policy=True):
            return (
                f"This payment was flagged by a risk policy that {name(reviewer)} proposed: two"
                " others have to approve it."
            )
        case AnotherPersonNeeded(reviewer=reviewer):
            return (
                f"{name(reviewer)} has approved this payment already: somebody else has to agree."
            )
        case NoteNeeded(reject_advised=True):
            return (
                "The risk policy advises to reject this payment: say in a note why it may go through"
                " all the same."
            )
        case NoteNeeded():
            return "Say in a note what the senior reviewers should look at."
        case NotRefundable(status=status):
            return f"This payment is {status}, there is nothing to give back."
        case RefundTooLarge(refundable=rest):
            return f"No more than {rest.formatted()} of this payment can be refunded."
        case RefundCurrencyDiffers(currency=currency):
            return f"This payment is in {currency}."
    raise NotImplementedError(type(error))


def name(actor: str) -> str:
    """Return the name of the person or client with this actor id, or the id if there is none."""
    return people([actor]).get(actor, actor)
