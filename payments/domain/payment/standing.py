"""Check who may act on a payment under review, by claim, assignment, deadline and seniority."""

from datetime import datetime

from msgspec import Struct

from payments.domain.payment import claims
from payments.domain.payment.claims import Lease
from payments.domain.payment.commands import ClaimNextReview, ReviewCommand
from payments.domain.payment.refusals import (
    AnotherPersonNeeded,
    NotAwaitingReview,
    ReviewExpired,
    ReviewTaken,
    SeniorReviewerNeeded,
)
from payments.domain.payment.routing_refusals import AssignedToAnother
from payments.domain.payment.state import Payment, Status


class Reservation(Struct, frozen=True, kw_only=True):
    """Until `until`, only `reviewer` and senior reviewers may act on the payment."""

    reviewer: str
    until: datetime


def reservation(payment: Payment, at: datetime) -> Reservation | None:
    """Return for whom the payment is reserved, None if anybody may act on it.

    An assignment reserves the payment for half of the time to decide. If the assignee is absent,
    others can then decide before the payment expires.
    """
    if payment.assigned_to is None:
        return None
    flagged_at = payment.flagged_at or payment.initiated_at
    until = flagged_at + (deadline(payment) - flagged_at) / 2
    return Reservation(reviewer=payment.assigned_to, until=until) if at < until else None


def require_awaiting_review(payment: Payment) -> None:
    if payment.status is not Status.PENDING_REVIEW:
        raise NotAwaitingReview(
            payment_id=payment.payment_id, status=payment.status, review=payment.review
        )


def require_before_deadline(payment: Payment, at: datetime) -> None:
    if at >= deadline(payment):
        raise ReviewExpired(payment_id=payment.payment_id, deadline=deadline(payment))


def require_may_decide(payment: Payment, command: ReviewCommand) -> None:
    require_before_deadline(payment, command.at)
    require_not_taken(payment, command)
    if payment.needs_senior and not command.senior:
        raise SeniorReviewerNeeded(payment_id=payment.payment_id, escalated=payment.escalated)


def require_may_claim(payment: Payment, command: ReviewCommand) -> None:
    require_may_decide(payment, command)
    if payment.first_approval is not None:
        require_another_than(payment.first_approval.reviewer, payment, command.reviewer)


def require_not_taken(payment: Payment, command: ReviewCommand) -> None:
    """Raise PaymentError if the payment is claimed by another reviewer, or reserved for one."""
    lease = claims.unlapsed(payment.lease, command.at)
    if lease is not None and lease.reviewer != command.reviewer:
        raise taken(payment, lease)
    reserved = reservation(payment, command.at)
    # Even for senior reviewers, claim-next skips payments that are reserved for others.
    passes = command.senior and not isinstance(command, ClaimNextReview)
    if reserved is not None and reserved.reviewer != command.reviewer and not passes:
        raise AssignedToAnother(
            payment_id=payment.payment_id,
            assigned_to=reserved.reviewer,
            assigned_until=reserved.until,
        )


def require_another_than(first: str, payment: Payment, reviewer: str) -> None:
    if reviewer == first:
        raise AnotherPersonNeeded(payment_id=payment.payment_id, reviewer=first)


def taken(payment: Payment, lease: Lease) -> ReviewTaken:
    return ReviewTaken(
        payment_id=payment.payment_id, claimed_by=lease.reviewer, claimed_until=lease.until
    )


def deadline(payment: Payment) -> datetime:
    assert payment.review_deadline is not None, "a payment under review was flagged"  # noqa: S101
    return payment.review_deadline
