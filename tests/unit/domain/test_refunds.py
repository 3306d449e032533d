"""Refunds, cancellations and deadlines."""

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
from tests.support.example_commands import approve, cancel, expire, refund, reject
from tests.support.example_events import cancelled, expired, flagged, initiated, processed, refunded
from tests.support.examples import LARGE, NOON, usd
from tests.support.scenario import given

COMPLETED = given(initiated(), processed())
WAITING = given(initiated(amount=LARGE), flagged())
DEADLINE = NOON + REVIEW_PERIOD
MOMENT = timedelta(microseconds=1)


def test_partial_refunds_add_up_to_full_refund() -> None:
    payment = COMPLETED.when(refund(amount=usd(40_00))).then(refunded(40_00))
    assert (payment.status, payment.refundable) == (Status.PARTIALLY_REFUNDED, usd(60_00))
    partly = given(initiated(), processed(), refunded(40_00))
    payment = partly.when(refund(amount=usd(60_00))).then(refunded(60_00, so_far=100_00))
    assert (payment.status, payment.refunded) == (Status.REFUNDED, usd(100_00))


def test_refund_without_amount_refunds_rest() -> None:
    COMPLETED.when(refund()).then(refunded(100_00))
    partly = given(initiated(), processed(), refunded(40_00))
    partly.when(refund()).then(refunded(60_00, so_far=100_00))


def test_refund_keeps_its_reference() -> None:
    refunded_ = refunded(100_00, reference="return-1")

    payment = COMPLETED.when(refund(reference="return-1")).then(refunded_)

    assert payment.last_refund == refunded_


def test_refund_over_remaining_amount_is_refused() -> None:
    partly = given(initiated(), processed(), refunded(40_00))
    partly.when(refund(amount=usd(60_01))).then_refused(
        RefundTooLarge, refund=usd(60_01), refundable=usd(60_00)
    )


@pytest.mark.parametrize("minor", [0, -1])
def test_refund_of_zero_or_less_is_refused(minor: int) -> None:
    """The domain does not rely on the check in the API."""
    COMPLETED.when(refund(amount=usd(minor))).then_refused(
        RefundTooLarge, refund=usd(minor), refundable=usd(100_00)
    )


def test_refund_in_other_currency_is_refused() -> None:
    COMPLETED.when(refund(amount=Money(1, "EUR"))).then_refused(
        RefundCurrencyDiffers, currency="USD"
    )


def test_refund_of_uncompleted_payment_is_refused() -> None:
    WAITING.when(refund()).then_refused(NotRefundable, status=Status.PENDING_REVIEW)


def test_payment_under_review_can_be_cancelled() -> None:
    terms = {"amount": LARGE, "flagged_at": NOON}
    WAITING.when(cancel()).then(cancelled(**terms))


def test_refused_cancellation_of_completed_payment_hints_at_refund() -> None:
    refusal = COMPLETED.when(cancel()).then_refused(PaymentAlreadyFinished, status=Status.COMPLETED)
    assert "Refund it instead" in str(refusal)


@pytest.mark.parametrize("decide", [approve, reject])
def test_decision_at_deadline_is_refused(decide: object) -> None:
    assert callable(decide)
    assert len(WAITING.when(decide(at=DEADLINE - MOMENT)).names()) > 0
    WAITING.when(decide(at=DEADLINE)).then_refused(ReviewExpired, deadline=DEADLINE)


def test_review_expires_at_deadline() -> None:
    WAITING.when(expire(at=DEADLINE - MOMENT)).then_refused(ReviewNotDue, deadline=DEADLINE)
    WAITING.when(expire(at=DEADLINE)).then(expired())


def test_old_flag_without_deadline_gets_one() -> None:
    given(initiated(amount=LARGE), flagged(deadline=None)).when(expire(at=DEADLINE)).then(expired())
