"""What reviewers may do about a payment that waits for them, and what comes of it when nobody does.

A claim keeps others away for a while; it is not needed to decide, because the version settles who was
first. Everything that a person decides is decided before the deadline, and on an amount that the policy
puts under four eyes two people agree: a second one, who is a senior reviewer, and neither of them the
author of the policy that flagged it.
"""

from datetime import datetime, timedelta
from typing import Final, assert_never

from msgspec.structs import replace

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
from payments.domain.payment.state import Lease, Payment, Status

# How long a claim lasts. Long enough for the evidence and a call, short enough for who forgets it.
LEASE: Final = timedelta(minutes=15)


def review(payment: Payment, command: AnyReviewCommand) -> tuple[AnyPaymentEvent, ...]:
    """Return the events that a reviewer's command means. Raises PaymentError."""
    _awaiting_review(payment)
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
            _may_decide(payment, command)
            facts = payment.terms(command.at)
            return (PaymentRejected(reviewer=reviewer, reason=reason, note=note, **facts),)
        case _:
            assert_never(command)


def expire(payment: Payment, command: ExpireReview) -> PaymentExpired:
    """Return the end of a review that nobody finished in time. Raises PaymentError."""
    _awaiting_review(payment)
    deadline = _deadline(payment)
    if command.at < deadline:
        raise ReviewNotDue(payment_id=payment.payment_id, deadline=deadline)
    return PaymentExpired(deadline=deadline, **payment.terms(command.at))


def _claim(payment: Payment, command: ClaimReview) -> ReviewClaimed:
    _may_decide(payment, command)
    lease = payment.lease_at(command.at)
    if lease is not None and isinstance(command, ClaimNextReview):
        raise _claimed(payment, lease)  # the reviewer's own too: it is not the next one
    if payment.first_approval is not None:
        _another_than(payment.first_approval.reviewer, payment, command)
    until = min(command.at + LEASE, _deadline(payment))
    return ReviewClaimed(reviewer=command.reviewer, until=until, **payment.terms(command.at))


def _take_over(payment: Payment, command: TakeOverReview) -> tuple[AnyPaymentEvent, ...]:
    """Release the holder's claim and claim the payment in one append, so that nobody can claim in between."""
    lease = payment.lease_at(command.at)
    if lease is None or lease.reviewer == command.reviewer:
        return (_claim(payment, command),)
    if not command.senior or lease.reviewer != command.holder:
        raise _claimed(payment, lease)
    released = ReviewReleased(reviewer=lease.reviewer, **payment.terms(command.at))
    return (released, _claim(replace(payment, lease=None), command))


def _release(payment: Payment, command: ReleaseReview) -> ReviewReleased:
    lease = payment.lease_at(command.at)
    if lease is None:
        raise NotClaimed(payment_id=payment.payment_id)
    if lease.reviewer != command.reviewer and not command.senior:
        raise _claimed(payment, lease)
    return ReviewReleased(reviewer=lease.reviewer, **payment.terms(command.at))


def _escalate(payment: Payment, command: EscalateReview) -> ReviewEscalated:
    if payment.escalated:
        raise AlreadyEscalated(payment_id=payment.payment_id)
    _may_decide(payment, command)
    if command.note is None:
        raise NoteNeeded(payment_id=payment.payment_id)
    return ReviewEscalated(
        reviewer=command.reviewer,
        reason=command.reason,
        note=command.note,
        **payment.terms(command.at),
    )


def _approve(payment: Payment, command: ApprovePayment) -> tuple[AnyPaymentEvent, ...]:
    _may_decide(payment, command)
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
        _another_than(payment.first_approval.reviewer, payment, command)
    return (PaymentApproved(**facts), PaymentProcessed(**payment.terms(command.at)))


def _may_decide(payment: Payment, command: AnyReviewCommand) -> None:
    deadline = _deadline(payment)
    if command.at >= deadline:
        raise ReviewExpired(payment_id=payment.payment_id, deadline=deadline)
    lease = payment.lease_at(command.at)
    if lease is not None and lease.reviewer != command.reviewer:
        raise _claimed(payment, lease)
    if payment.needs_senior and not command.senior:
        raise SeniorReviewerNeeded(payment_id=payment.payment_id, escalated=payment.escalated)


def _another_than(first: str, payment: Payment, command: AnyReviewCommand) -> None:
    if command.reviewer == first:
        raise AnotherPersonNeeded(payment_id=payment.payment_id, reviewer=first)


def _awaiting_review(payment: Payment) -> None:
    if payment.status is not Status.PENDING_REVIEW:
        raise NotAwaitingReview(
            payment_id=payment.payment_id, status=payment.status, review=payment.review
        )


def _claimed(payment: Payment, lease: Lease) -> ReviewTaken:
    return ReviewTaken(
        payment_id=payment.payment_id, claimed_by=lease.reviewer, claimed_until=lease.until
    )


def _deadline(payment: Payment) -> datetime:
    assert payment.review_deadline is not None, "whoever is under review was flagged"  # noqa: S101
    return payment.review_deadline
