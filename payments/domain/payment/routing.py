"""Decide when a payment under review returns to the queue, and to whom: snoozes and assignments.

Neither is needed for a decision, and neither moves the deadline. The README of the domain lists the rules.
"""

from payments.domain.payment import claims, snoozes
from payments.domain.payment.commands import AssignReview, ResumeReview, SnoozeReview
from payments.domain.payment.events import (
    AnyPaymentEvent,
    ReviewAssigned,
    ReviewReleased,
    ReviewResumed,
    ReviewSnoozed,
)
from payments.domain.payment.refusals import SeniorReviewerNeeded
from payments.domain.payment.routing_refusals import (
    AssigneeNotReviewer,
    AssignmentNeedsSenior,
    NotAssigned,
    NotSnoozed,
    SnoozeTimeInvalid,
)
from payments.domain.payment.standing import (
    deadline,
    require_another_than,
    require_before_deadline,
    require_may_claim,
    taken,
)
from payments.domain.payment.state import Payment


def snooze(payment: Payment, command: SnoozeReview) -> ReviewSnoozed:
    require_may_claim(payment, command)
    if not command.at < command.until < deadline(payment):
        raise SnoozeTimeInvalid(
            payment_id=payment.payment_id,
            until=command.until,
            earliest=command.at,
            deadline=deadline(payment),
        )
    return ReviewSnoozed(
        reviewer=command.reviewer,
        until=command.until,
        reason=command.reason,
        note=command.note,
        **payment.terms(command.at),
    )


def resume(payment: Payment, command: ResumeReview) -> ReviewResumed:
    if snoozes.running(payment.snooze, command.at) is None:
        raise NotSnoozed(payment_id=payment.payment_id)
    require_may_claim(payment, command)
    return ReviewResumed(reviewer=command.reviewer, **payment.terms(command.at))


def assign(payment: Payment, command: AssignReview) -> tuple[AnyPaymentEvent, ...]:
    """Return the assignment. If it ends a claim, the release of the claim comes first."""
    require_before_deadline(payment, command.at)
    _require_may_assign(payment, command)
    if command.to is None:
        if payment.assigned_to is None:
            raise NotAssigned(payment_id=payment.payment_id)
    else:
        _require_assignee_may_decide(payment, command, command.to)
    terms = payment.terms(command.at)
    assigned = ReviewAssigned(to=command.to, by=command.reviewer, note=command.note, **terms)
    lease = claims.unlapsed(payment.lease, command.at)
    if lease is None or lease.reviewer == command.to:
        return (assigned,)
    return (ReviewReleased(reviewer=lease.reviewer, **terms), assigned)


def _require_may_assign(payment: Payment, command: AssignReview) -> None:
    if command.senior:
        return
    lease = claims.unlapsed(payment.lease, command.at)
    if lease is not None and lease.reviewer != command.reviewer:
        raise taken(payment, lease)
    # Reviewers can only hand over their own payments. Assigning one to themselves would keep it
    # from others for longer than a claim does.
    is_theirs = lease is not None or payment.assigned_to == command.reviewer
    if not is_theirs or command.to == command.reviewer:
        raise AssignmentNeedsSenior(payment_id=payment.payment_id)


def _require_assignee_may_decide(payment: Payment, command: AssignReview, to: str) -> None:
    if not command.to_reviews:
        raise AssigneeNotReviewer(payment_id=payment.payment_id, assignee=to)
    if payment.needs_senior and not command.to_senior:
        raise SeniorReviewerNeeded(payment_id=payment.payment_id, escalated=payment.escalated)
    if payment.first_approval is not None:
        require_another_than(payment.first_approval.reviewer, payment, to)
