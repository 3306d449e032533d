"""The consequences that an action's form states, and the message after its success."""

from payments.application.dispatch import Outcome
from payments.domain.payment.state import Payment
from readmodels import labels
from readmodels.admin.review import actions
from readmodels.admin.review.actions import Action


def consequences_of(action: Action, payment: Payment) -> tuple[str, ...]:
    """Return what the person should know before taking the action."""
    match action:
        case actions.APPROVE:
            return tuple(_approval(payment))
        case actions.REJECT:
            return ("This is final. Rejecting needs no second approval.",)
        case actions.ESCALATE:
            return ("A senior reviewer decides next. Describe in the note what to check.",)
        case actions.CANCEL:
            return ("This is final. A cancelled payment cannot be resumed.",)
        case actions.SNOOZE if payment.review_deadline is not None:
            return (
                "A claim on it ends. After the snooze, “Claim next” gives it to you first.",
                f"The deadline stays: {labels.minute(payment.review_deadline)}.",
            )
        case actions.ASSIGN:
            return (
                "Other reviewers' claims end. Until half of the time to decide has passed, only the"
                " assignee and senior reviewers can decide.",
            )
    return ()


def _approval(payment: Payment) -> list[str]:
    risk = payment.risk
    lines = []
    if risk is not None and risk.four_eyes and payment.first_approval is None:
        lines.append("First of two approvals. A senior reviewer must give the second.")
    elif risk is not None and risk.four_eyes and payment.first_approval is not None:
        first = labels.person(payment.first_approval.reviewer)
        lines.append(f"Second approval. {first} gave the first; yours completes the payment.")
    if risk is not None and risk.reject_advised:
        lines.append("The risk policy advises rejecting this payment.")
    return lines


def done(action: Action, outcome: Outcome) -> str:
    payment = outcome.payment
    match action:
        case actions.APPROVE if payment.review is None:
            return "First approval recorded. A senior reviewer must give the second."
        case actions.APPROVE:
            return "Approved. Lists update within a few seconds."
        case actions.REJECT:
            return "Rejected. Lists update within a few seconds."
        case actions.ESCALATE:
            return "Escalated. A senior reviewer decides next."
        case actions.CLAIM:
            return f"Yours until {payment.lease.until:%H:%M} UTC." if payment.lease else "Claimed."
        case actions.TAKE_OVER:
            return "Taken over. You now hold the claim."
        case actions.RELEASE:
            return "Released. Any reviewer can claim it now."
        case actions.SNOOZE:
            until = labels.minute(payment.snooze.until) if payment.snooze else "later"
            return f"Snoozed until {until}. It returns to you first."
        case actions.RESUME:
            return "The snooze has ended. The payment is back in the queue."
        case actions.ASSIGN if payment.assigned_to is not None:
            return f"Assigned to {labels.person(payment.assigned_to)}."
        case actions.ASSIGN:
            return "No longer assigned. Any reviewer can claim it now."
        case actions.CANCEL:
            return "Cancelled. Lists update within a few seconds."
        case actions.REFUND:
            rest = payment.refundable
            remaining = f"{rest.formatted()} can still be refunded." if rest.minor else ""
            return f"Refunded{'.' if remaining else ' in full.'} {remaining}".strip()
    return "Done. Lists update within a few seconds."
