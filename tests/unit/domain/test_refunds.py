"""Refunds, cancellations and deadlines: money goes back at most once, and nobody waits for ever."""

from datetime import timedelta

import pytest

from payments.domain.money import Money
from payments.domain.payment.refusals import (
    NotRefundable,
    PaymentAlreadyFinished,
    RefundCurrencyDiffers,
    RefundTooLarge,
    ReviewExpired,
    ReviewNotDue,
)
from payments.domain.payment.state import REVIEW_PERIOD, Status
from tests.support.examples import (
    LARGE,
    NOON,
    approve,
    cancel,
    cancelled,
    expire,
    expired,
    flagged,
    initiated,
    processed,
    refund,
    refunded,
    reject,
    usd,
)
from tests.support.scenario import given

COMPLETED = given(initiated(), processed())
WAITING = given(initiated(amount=LARGE), flagged())
DEADLINE = NOON + REVIEW_PERIOD
MOMENT = timedelta(microseconds=1)


def test_parts_add_up_to_the_whole() -> None:
    payment = COMPLETED.when(refund(amount=usd(40_00))).then(refunded(40_00))
    assert (payment.status, payment.refundable) == (Status.PARTIALLY_REFUNDED, usd(60_00))
    partly = given(initiated(), processed(), refunded(40_00))
    payment = partly.when(refund(amount=usd(60_00))).then(refunded(60_00, so_far=100_00))
    assert (payment.status, payment.refunded) == (Status.REFUNDED, usd(100_00))


def test_a_refund_without_an_amount_is_all_that_is_left() -> None:
    COMPLETED.when(refund()).then(refunded(100_00))
    partly = given(initiated(), processed(), refunded(40_00))
    partly.when(refund()).then(refunded(60_00, so_far=100_00))


def test_not_a_cent_more_than_the_payment_goes_back() -> None:
    partly = given(initiated(), processed(), refunded(40_00))
    partly.when(refund(amount=usd(60_01))).then_refused(
        RefundTooLarge, refund=usd(60_01), refundable=usd(60_00)
    )


@pytest.mark.parametrize("minor", [0, -1])
def test_nothing_is_no_refund_and_less_would_be_a_charge(minor: int) -> None:
    """The API lets neither in; the rule must not depend on it."""
    COMPLETED.when(refund(amount=usd(minor))).then_refused(
        RefundTooLarge, refund=usd(minor), refundable=usd(100_00)
    )


def test_a_refund_is_in_the_currency_of_the_payment() -> None:
    COMPLETED.when(refund(amount=Money(1, "EUR"))).then_refused(
        RefundCurrencyDiffers, currency="USD"
    )


def test_what_did_not_go_through_is_not_refunded() -> None:
    WAITING.when(refund()).then_refused(NotRefundable, status=Status.PENDING_REVIEW)


def test_what_waits_for_review_can_be_called_off() -> None:
    terms = {"amount": LARGE, "flagged_at": NOON}
    WAITING.when(cancel()).then(cancelled(**terms))


def test_whoever_cancels_a_completed_payment_is_told_of_refunds() -> None:
    refusal = COMPLETED.when(cancel()).then_refused(PaymentAlreadyFinished, status=Status.COMPLETED)
    assert "Refund it instead" in str(refusal)


@pytest.mark.parametrize("decide", [approve, reject])
def test_nobody_decides_after_the_deadline(decide: object) -> None:
    assert callable(decide)
    assert len(WAITING.when(decide(at=DEADLINE - MOMENT)).names()) > 0
    WAITING.when(decide(at=DEADLINE)).then_refused(ReviewExpired, deadline=DEADLINE)


def test_a_review_expires_at_its_deadline_and_not_before() -> None:
    WAITING.when(expire(at=DEADLINE - MOMENT)).then_refused(ReviewNotDue, deadline=DEADLINE)
    WAITING.when(expire(at=DEADLINE)).then(expired())


def test_what_was_flagged_before_there_were_deadlines_has_one_too() -> None:
    given(initiated(amount=LARGE), flagged(deadline=None)).when(expire(at=DEADLINE)).then(expired())
