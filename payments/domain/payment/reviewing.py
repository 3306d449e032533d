"""Decide on the commands of reviewers, and on the expiry of a review.

A claim keeps other reviewers away for a while. No decision needs one: the version of the payment
settles which of two reviewers was first. People can decide only before the deadline. The README of the
domain lists the rules.
"""

from typing import Any, assert_never

from msgspec.structs import replace

from payments.domain.payment import claims, routing, snoozes
from payments.domain.payment.commands import (
    AnyReviewCommand,
    ApprovePayment,
    AssignReview,
    ClaimNextReview,
    ClaimReview,
    EscalateReview,
    ExpireReview,
    RejectPayment,
    ReleaseReview,
    ResumeReview,
    SnoozeReview,
    TakeOverReview,
)
from payments.domain.payment.events import (
    AnyPaymentEvent,
    PaymentApproved,
    PaymentExpired,
    PaymentFirstApproved,
    PaymentProcessed,
    PaymentRejected,
    ReviewClaimed,
    ReviewEscalated,
    ReviewReleased,
)
from payments.domain.payment.refusals import (
    AlreadyEscalated,
    AnotherPersonNeeded,
    NotClaimed,
    NoteNeeded,
    ReviewNotDue,
)
from payments.domain.payment.routing_refusals import StillSnoozed
from payments.domain.payment.standing import (
    deadline,
    require_another_than,
    require_awaiting_review,
    require_may_claim,
    require_may_decide,
    taken,
)
from payments.domain.payment.state import Payment


def review(payment: Payment, command: AnyReviewCommand) -> tuple[AnyPaymentEvent, ...]:
    """Return the events of a reviewer's command. Raises PaymentError."""
    require_awaiting_review(payment)
    match command:
        case ReleaseReview():
            return (_release(payment, command),)
        case TakeOverReview():
            return _take_over(payment, command)
        case ClaimReview():
            return (_claim(payment, command),)
        case SnoozeReview():
            return (routing.snooze(payment, command),)
        case ResumeReview():
            return (routing.resume(payment, command),)
        case AssignReview():
            return routing.assign(payment, command)
        case EscalateReview():
            return (_escalate(payment, command),)
        case ApprovePayment():
            return _approve(payment, command)
        case RejectPayment():
            require_may_decide(payment, command)
            return (PaymentRejected(**_decision(payment, command)),)
        case _:
            assert_never(command)


def expire(payment: Payment, command: ExpireReview) -> PaymentExpired:
    """Return the event that ends a review after its deadline. Raises PaymentError."""
    require_awaiting_review(payment)
    due = deadline(payment)
    if command.at < due:
        raise ReviewNotDue(payment_id=payment.payment_id, deadline=due)
    lease = payment.lease
    # No claim outlasts the deadline, so a claim with this end was held until the deadline.
    held_by = lease.reviewer if lease is not None and lease.until == due else None
    return PaymentExpired(deadline=due, held_by=held_by, **payment.terms(command.at))


def _claim(payment: Payment, command: ClaimReview) -> ReviewClaimed:
    require_may_claim(payment, command)
    if isinstance(command, ClaimNextReview):
        _require_next(payment, command)
    return ReviewClaimed(
        reviewer=command.reviewer,
        until=claims.until(command.at, deadline=deadline(payment)),
        extends=claims.held_by(command.reviewer, payment.lease, command.at) is not None,
        **payment.terms(command.at),
    )


def _require_next(payment: Payment, command: ClaimNextReview) -> None:
    """Raise PaymentError if the payment is not the next one, because it is claimed or snoozed."""
    lease = claims.unlapsed(payment.lease, command.at)
    if lease is not None:
        raise taken(payment, lease)
    snooze = snoozes.running(payment.snooze, command.at)
    if snooze is not None:
        raise StillSnoozed(
            payment_id=payment.payment_id,
            snoozed_by=snooze.reviewer,
            snoozed_until=snooze.until,
        )


def _take_over(payment: Payment, command: TakeOverReview) -> tuple[AnyPaymentEvent, ...]:
    """Return the release of the holder's claim and the new claim.

    Both are in one append, so that nobody can claim the payment in between.
    """
    lease = claims.unlapsed(payment.lease, command.at)
    if lease is None or lease.reviewer == command.reviewer:
        return (_claim(payment, command),)
    if not command.senior or lease.reviewer != command.holder:
        raise taken(payment, lease)
    released = ReviewReleased(reviewer=lease.reviewer, **payment.terms(command.at))
    return (released, _claim(replace(payment, lease=None), command))


def _release(payment: Payment, command: ReleaseReview) -> ReviewReleased:
    lease = claims.unlapsed(payment.lease, command.at)
    if lease is None:
        raise NotClaimed(payment_id=payment.payment_id)
    if lease.reviewer != command.reviewer and not command.senior:
        raise taken(payment, lease)
    return ReviewReleased(reviewer=lease.reviewer, **payment.terms(command.at))


def _escalate(payment: Payment, command: EscalateReview) -> ReviewEscalated:
    if payment.escalated:
        raise AlreadyEscalated(payment_id=payment.payment_id)
    require_may_decide(payment, command)
    if command.note is None:
        raise NoteNeeded(payment_id=payment.payment_id)
    return ReviewEscalated(
        reviewer=command.reviewer,
        reason=command.reason,
        note=command.note,
        **payment.terms(command.at),
    )


def _approve(payment: Payment, command: ApprovePayment) -> tuple[AnyPaymentEvent, ...]:
    require_may_decide(payment, command)
    if command.note is None:
        if command.customer_blocked:
            raise NoteNeeded(payment_id=payment.payment_id, customer_blocked=True)
        if payment.risk is not None and payment.risk.reject_advised:
            raise NoteNeeded(payment_id=payment.payment_id, reject_advised=True)
    facts = _decision(payment, command)
    if payment.risk is not None and payment.risk.four_eyes:
        if command.reviewer == payment.policy_author:
            raise AnotherPersonNeeded(
                payment_id=payment.payment_id, reviewer=command.reviewer, proposed_policy=True
            )
        if payment.first_approval is None:
            return (PaymentFirstApproved(**facts),)
        require_another_than(payment.first_approval.reviewer, payment, command.reviewer)
    return (PaymentApproved(**facts), PaymentProcessed(**payment.terms(command.at)))


def _decision(payment: Payment, command: ApprovePayment | RejectPayment) -> dict[str, Any]:
    """Return the fields of the event that records the decision."""
    held = claims.held_by(command.reviewer, payment.lease, command.at)
    return payment.terms(command.at) | {
        "reviewer": command.reviewer,
        "reason": command.reason,
        "note": command.note,
        "claimed_at": None if held is None else held.since,
    }
