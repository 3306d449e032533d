"""The sentences for refusals, with names instead of ids."""

from collections.abc import Callable

from payments.domain.lists import EntryExists, ListRefused
from payments.domain.payment.refusals import (
    AlreadyEscalated,
    AnotherPersonNeeded,
    DisputeClosed,
    DisputeContradicted,
    DisputeCurrencyDiffers,
    DisputeLossInvalid,
    DisputeNotFound,
    DisputeOpen,
    DisputeTooLarge,
    NotAwaitingReview,
    NotClaimed,
    NotDisputable,
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
    TooManyDisputes,
    TooManyResponses,
    second as second_of,
)
from payments.domain.payment.routing_refusals import (
    AssignedToAnother,
    AssigneeNotReviewer,
    AssignmentNeedsSenior,
    NotAssigned,
    NotSnoozed,
    SnoozeTimeInvalid,
    StillSnoozed,
)
from payments.domain.risk.refusals import PolicyAlreadyActive, PolicyRefused
from payments.events.store import StaleVersion
from readmodels.labels import isolated, person


def describe(  # noqa: C901, PLR0912 - a line for each refusal
    error: PaymentError, *, name: Callable[[str], str] = person
) -> str:
    """Return the refusal as a sentence for the person who gave the command.

    `name` returns the name of an actor. Pass a lookup if there are many refusals.
    """
    match error:
        case PaymentNotFound():
            return "There is no such payment."
        case PaymentAlreadyFinished(status=status, refundable=refundable):
            return f"This payment is already {status}.{' Refund it instead.' if refundable else ''}"
        case PaymentUnderReview():
            return "This payment waits for review."
        case PaymentDiffers():
            return "This payment was submitted with different data."
        case NotAwaitingReview(status=status, review=None):
            return f"This payment is {status} and needs no decision."
        case NotAwaitingReview(review=review) if review is not None:
            by = name(review.reviewer)
            return f"This payment was {review.decision} by {by} at {second_of(review.at)}."
        case ReviewExpired(deadline=deadline):
            return f"The deadline for this decision was {second_of(deadline)}."
        case ReviewNotDue(deadline=deadline):
            return f"This payment can be decided until {second_of(deadline)}."
        case ReviewTaken(claimed_by=reviewer, claimed_until=until):
            return f"{name(reviewer)} has claimed this payment until {second_of(until)}."
        case NotClaimed():
            return "Nobody has claimed this payment."
        case AssignedToAnother(assigned_to=reviewer, assigned_until=until):
            return f"This payment is assigned to {name(reviewer)} until {second_of(until)}."
        case AssignmentNeedsSenior():
            return "Claim this payment before you hand it over, or ask a senior reviewer."
        case AssigneeNotReviewer(assignee=assignee):
            return f"{name(assignee)} is not a reviewer. Choose someone else."
        case NotAssigned():
            return "This payment is not assigned."
        case StillSnoozed(snoozed_by=reviewer, snoozed_until=until):
            return f"{name(reviewer)} has snoozed this payment until {second_of(until)}."
        case NotSnoozed():
            return "This payment is not snoozed."
        case SnoozeTimeInvalid(deadline=deadline):
            return (
                "Choose a time in the future and before the deadline of this payment,"
                f" {second_of(deadline)}."
            )
        case AlreadyEscalated():
            return "This payment is already escalated to senior reviewers."
        case SeniorReviewerNeeded(escalated=escalated):
            if escalated:
                return "This payment is escalated. A senior reviewer must decide."
            return "A senior reviewer must give the second approval."
        case AnotherPersonNeeded(reviewer=reviewer, proposed_policy=True):
            return (
                f"{name(reviewer)} proposed the policy that flagged this payment. Two other people"
                " must approve it."
            )
        case AnotherPersonNeeded(reviewer=reviewer):
            return f"{name(reviewer)} gave the first approval. Another person must give the second."
        case NoteNeeded(customer_blocked=True):
            return (
                "The customer is blocked. Explain in the note why you are approving this payment."
            )
        case NoteNeeded(reject_advised=True):
            return (
                "The risk policy advises rejecting this payment. Explain in the note why you are"
                " approving it anyway."
            )
        case NoteNeeded():
            return "Describe in the note what the senior reviewer should check."
        case NotRefundable(lost=lost) if lost is not None:
            return f"Disputes took {lost.formatted()} of this payment. Nothing remains to refund."
        case NotRefundable(status=status):
            return f"This payment is {status}. There is nothing to refund."
        case RefundTooLarge(refundable=rest):
            return f"No more than {rest.formatted()} of this payment can be refunded."
        case RefundCurrencyDiffers(currency=currency):
            return f"This payment can only be refunded in {currency}."
        case DisputeOpen(dispute_id=dispute_id):
            return (
                f"Dispute {isolated(dispute_id)} is open. Close it before you refund this payment."
            )
        case NotDisputable(status=status):
            return f"This payment is {status}. Only a completed payment can be disputed."
        case DisputeNotFound(dispute_id=dispute_id):
            return f"This payment has no dispute {isolated(dispute_id)}."
        case DisputeClosed(dispute_id=dispute_id, outcome=outcome, closed_at=at):
            return f"Dispute {isolated(dispute_id)} was closed as {outcome} at {second_of(at)}."
        case DisputeContradicted(dispute_id=dispute_id, fields=fields):
            return (
                f"A notice of dispute {isolated(dispute_id)} at the same time has another"
                f" {', '.join(fields)}. Correct it by another notice with its own time."
            )
        case TooManyDisputes(limit=limit):
            return f"This payment has {limit} disputes, which is the most."
        case TooManyResponses(dispute_id=dispute_id, limit=limit):
            return f"Dispute {isolated(dispute_id)} has {limit} responses, which is the most."
        case DisputeTooLarge(disputable=rest):
            return f"No more than {rest.formatted()} of this payment can be disputed."
        case DisputeCurrencyDiffers(currency=currency):
            return f"This payment can only be disputed in {currency}."
        case DisputeLossInvalid(outcome=outcome):
            return f"A dispute that was {outcome} takes nothing. Enter 0 as the lost amount."
    raise TypeError(f"The refusal {type(error).__name__} has no text for the screens.")


def describe_list(error: ListRefused) -> str:
    """Return why a list refused a command, with a name instead of an actor id."""
    match error:
        case EntryExists(entry=entry):
            return str(error).replace(entry.added_by, person(entry.added_by))
    return str(error)


def describe_policy(error: PolicyRefused | StaleVersion) -> str:
    """Return why the policy register refused a command."""
    match error:
        case PolicyAlreadyActive(short_id=policy, approved_by=actor, approved_at=at):
            return f"Policy {policy} is active already: {person(actor)} approved it at {second_of(at)}."
    return str(error)
