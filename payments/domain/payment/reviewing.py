"""Decide on the commands of reviewers, and on the expiry of a review.

A claim keeps other reviewers away for a while. No decision needs one: the version of the payment
settles which of two reviewers was first. People can decide only before the deadline. The README of the
domain lists the rules.
"""

from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from payments.domain.payment import claims
from payments.domain.payment.claims import Lease
from payments.domain.payment.commands import (
    AnyReviewCommand,
    ApprovePayment,
    ClaimNextReview,
    ClaimReview,
    EscalateReview,
    ExpireReview,
    RejectPayment,
    ReleaseReview,
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
    NotAwaitingReview,
    NotClaimed,
    NoteNeeded,
    ReviewExpired,
    ReviewNotDue,
    ReviewTaken,
    SeniorReviewerNeeded,
)
from payments.domain.payment.state import Payment, Status


def review(payment: Payment, command: AnyReviewCommand) -> tuple[AnyPaymentEvent, ...]:
    """Return the events of a reviewer's command. Raises PaymentError."""
    _require_awaiting_review(payment)
    match command:
        case ReleaseReview():
            return (_release(payment, command),)
        case TakeOverReview():
            return _take_over(payment, command)
        case ClaimReview():
            return (_claim(payment, command),)
        case EscalateReview():
            return (_escalate(payment, command),)
        case ApprovePayment():
            return _approve(payment, command)
        case RejectPayment(reviewer=reviewer, reason=reason, note=note):
            _require_may_decide(payment, command)
            facts = payment.terms(command.at)
            return (PaymentRejected(reviewer=reviewer, reason=reason, note=note, **facts),)
        case _:
            assert_never(command)


def expire(payment: Payment, command: ExpireReview) -> PaymentExpired:
    """Return the event that ends a review after its deadline. Raises PaymentError."""
    _require_awaiting_review(payment)
    deadline = _deadline(payment)
    if command.at < deadline:
        raise ReviewNotDue(payment_id=payment.payment_id, deadline=deadline)
    return PaymentExpired(deadline=deadline, **payment.terms(command.at))


def _claim(payment: Payment, command: ClaimReview) -> ReviewClaimed:
    _require_may_decide(payment, command)
    lease = claims.unlapsed(payment.lease, command.at)
    if lease is not None and isinstance(command, ClaimNextReview):
        # Also if it is the reviewer's own: that payment is not the next one.
        raise _taken(payment, lease)
    if payment.first_approval is not None:
        _require_another_than(payment.first_approval.reviewer, payment, command)
    until = claims.until(command.at, deadline=_deadline(payment))
    return ReviewClaimed(reviewer=command.reviewer, until=until, **payment.terms(command.at))


def _take_over(payment: Payment, command: TakeOverReview) -> tuple[AnyPaymentEvent, ...]:
    """Return the release of the holder's claim and the new claim: one append, so nobody claims in between."""
    lease = claims.unlapsed(payment.lease, command.at)
    if lease is None or lease.reviewer == command.reviewer:
        return (_claim(payment, command),)
    if not command.senior or lease.reviewer != command.holder:
        raise _taken(payment, lease)
    released = ReviewReleased(reviewer=lease.reviewer, **payment.terms(command.at))
    return (released, _claim(replace(payment, lease=None), command))


def _release(payment: Payment, command: ReleaseReview) -> ReviewReleased:
    lease = claims.unlapsed(payment.lease, command.at)
    if lease is None:
        raise NotClaimed(payment_id=payment.payment_id)
    if lease.reviewer != command.reviewer and not command.senior:
        raise _taken(payment, lease)
    return ReviewReleased(reviewer=lease.reviewer, **payment.terms(command.at))


def _escalate(payment: Payment, command: EscalateReview) -> ReviewEscalated:
    if payment.escalated:
        raise AlreadyEscalated(payment_id=payment.payment_id)
    _require_may_decide(payment, command)
    if command.note is None:
        raise NoteNeeded(payment_id=payment.payment_id)
    return ReviewEscalated(
        reviewer=command.reviewer,
        reason=command.reason,
        note=command.note,
        **payment.terms(command.at),
    )


def _approve(payment: Payment, command: ApprovePayment) -> tuple[AnyPaymentEvent, ...]:
    _require_may_decide(payment, command)
    if payment.risk is not None and payment.risk.reject_advised and command.note is None:
        raise NoteNeeded(payment_id=payment.payment_id, reject_advised=True)
    facts = payment.terms(command.at)
    facts |= {"reviewer": command.reviewer, "reason": command.reason, "note": command.note}
    if payment.risk is not None and payment.risk.four_eyes:
        if command.reviewer == payment.policy_author:
            raise AnotherPersonNeeded(
                payment_id=payment.payment_id, reviewer=command.reviewer, proposed_policy=True
            )
        if payment.first_approval is None:
            return (PaymentFirstApproved(**facts),)
        _require_another_than(payment.first_approval.reviewer, payment, command)
    return (PaymentApproved(**facts), PaymentProcessed(**payment.terms(command.at)))


def _require_may_decide(payment: Payment, command: AnyReviewCommand) -> None:
    deadline = _deadline(payment)
    if command.at >= deadline:
        raise ReviewExpired(payment_id=payment.payment_id, deadline=deadline)
    lease = claims.unlapsed(payment.lease, command.at)
    if lease is not None and lease.reviewer != command.reviewer:
        raise _taken(payment, lease)
    if payment.needs_senior and not command.senior:
        raise SeniorReviewerNeeded(payment_id=payment.payment_id, escalated=payment.escalated)


def _require_another_than(first: str, payment: Payment, command: AnyReviewCommand) -> None:
    if command.reviewer == first:
        raise AnotherPersonNeeded(payment_id=payment.payment_id, reviewer=first)


def _require_awaiting_review(payment: Payment) -> None:
    if payment.status is not Status.PENDING_REVIEW:
        raise NotAwaitingReview(
            payment_id=payment.payment_id, status=payment.status, review=payment.review
        )


def _taken(payment: Payment, lease: Lease) -> ReviewTaken:
    return ReviewTaken(
        payment_id=payment.payment_id, claimed_by=lease.reviewer, claimed_until=lease.until
    )


def _deadline(payment: Payment) -> datetime:
    assert payment.review_deadline is not None, "a payment under review was flagged"  # noqa: S101
    return payment.review_deadline
