"""Processing a payment: it completes, fails, or waits for review."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.codes import FailureReason
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.refusals import (
    PaymentAlreadyFinished,
    PaymentDiffers,
    PaymentNotFound,
    PaymentUnderReview,
)
from payments.domain.payment.state import Status
from payments.domain.risk.policy import Band
from tests.support.example_commands import process
from tests.support.example_events import (
    approved,
    failed,
    flagged,
    initiated,
    processed,
    processed_after_approval,
    rejected,
)
from tests.support.examples import (
    CUSTOMER,
    KNOWN,
    LARGE,
    LARGE_FIRST,
    LATER,
    NOON,
    OTHER_CLIENT,
    PAYMENT,
    SMALL,
    STALE,
    UNKNOWN,
    risk,
    usd,
)
from tests.support.scenario import given


def test_low_risk_payment_is_completed_at_once() -> None:
    payment = given().when(process()).then(initiated(), processed())
    assert (payment.status, payment.version) == (Status.COMPLETED, 2)
    assert payment.processed_at == NOON


def test_initiated_payment_is_processed_by_next_command() -> None:
    # The smallest test: one event given, one command, one event expected.
    payment = (
        given(initiated()).when(process(at=LATER)).then(processed(at=LATER, initiated_at=NOON))
    )

    assert payment.initiated_at == NOON
    assert payment.processed_at == LATER


@pytest.mark.parametrize(
    "other_terms",
    [
        {"amount": usd(100_01)},
        {"amount": Money(SMALL.minor, "EUR")},
        {"method": Method.DEBIT_CARD},
        {"customer_id": PAYMENT},
    ],
)
def test_process_with_other_terms_is_refused(
    other_terms: dict[str, object],
) -> None:
    given(initiated()).when(process(**other_terms)).then_refused(PaymentDiffers)


@pytest.mark.parametrize(
    ("history", "status"),
    [
        ((initiated(), processed()), "completed"),
        ((initiated(), failed()), "failed"),
        ((initiated(), flagged(), rejected()), "rejected"),
        ((initiated(), flagged(), approved(), processed_after_approval()), "completed"),
    ],
)
def test_process_of_finished_payment_is_refused(
    history: tuple[AnyPaymentEvent, ...], status: str
) -> None:
    given(*history).when(process(at=LATER)).then_refused(PaymentAlreadyFinished, status=status)


def test_process_of_payment_under_review_is_refused() -> None:
    given(initiated(), flagged()).when(process(at=LATER)).then_refused(
        PaymentUnderReview, status="pending_review"
    )


def test_payment_of_another_client_is_not_found() -> None:
    error = given(initiated()).when(process(client_id=OTHER_CLIENT)).then_refused(PaymentNotFound)
    assert str(error) == f"There is no payment {PAYMENT}."


def test_amount_over_method_limit_fails() -> None:
    over = usd(25_000_01)
    payment = (
        given()
        .when(process(amount=over))
        .then(initiated(amount=over), failed(amount=over, limit=usd(25_000_00)))
    )

    assert payment.status is Status.FAILED
    assert payment.failure is FailureReason.METHOD_LIMIT_EXCEEDED


def test_amount_at_method_limit_passes() -> None:
    limit = usd(25_000_00)
    given().when(process(amount=limit)).then(
        initiated(amount=limit), processed(amount=limit, risk=risk(limit))
    )


def test_method_limits_differ_by_method_and_currency() -> None:
    yen = Money(700_001, "JPY")
    given().when(process(amount=yen, method=Method.WALLET)).then(
        initiated(amount=yen, method=Method.WALLET),
        failed(amount=yen, method=Method.WALLET, limit=Money(700_000, "JPY")),
    )


def test_method_limit_is_checked_before_risk() -> None:
    over = usd(25_000_01)
    assert risk(over, UNKNOWN).review
    given().when(process(amount=over, features=UNKNOWN)).then(
        initiated(amount=over), failed(amount=over)
    )


def test_large_first_card_payment_is_flagged() -> None:
    payment = (
        given()
        .when(process(amount=LARGE, features=UNKNOWN))
        .then(initiated(amount=LARGE), flagged())
    )

    assert payment.status is Status.PENDING_REVIEW
    assert payment.flagged_at == NOON
    assert payment.risk == LARGE_FIRST
    assert payment.risk.band is Band.HIGH
    assert payment.risk.reasons == ("first_card_payment_large",)


def test_first_card_payment_at_review_limit_passes() -> None:
    limit = usd(10_000_00)
    given().when(process(amount=limit, features=UNKNOWN)).then(
        initiated(amount=limit), processed(amount=limit, risk=risk(limit, UNKNOWN))
    )


def test_first_card_payment_over_review_limit_is_flagged() -> None:
    over = usd(10_000_01)
    given().when(process(amount=over, features=UNKNOWN)).then(
        initiated(amount=over), flagged(amount=over, risk=risk(over, UNKNOWN))
    )


def test_large_payment_passes_after_earlier_card_payment() -> None:
    given().when(process(amount=LARGE)).then(
        initiated(amount=LARGE), processed(amount=LARGE, risk=risk(LARGE))
    )


def test_large_first_bank_transfer_passes() -> None:
    assert (
        given().when(process(amount=LARGE, features=UNKNOWN, method=Method.BANK_TRANSFER)).names()
    ) == ("PaymentInitiated", "PaymentProcessed")


def test_stale_features_flag_all_but_small_amounts() -> None:
    amount = usd(1_000_01)
    payment = (
        given()
        .when(process(amount=amount, features=STALE))
        .then(initiated(amount=amount), flagged(amount=amount, risk=risk(amount, STALE)))
    )

    assert payment.risk is not None
    assert payment.risk.reasons == ("features_stale",)


def test_stale_features_let_small_amounts_pass() -> None:
    amount = usd(1_000_00)
    given().when(process(amount=amount, features=STALE)).then(
        initiated(amount=amount), processed(amount=amount, risk=risk(amount, STALE))
    )


def test_currency_without_limit_is_flagged() -> None:
    krona = Money(1, "SEK")
    payment = (
        given()
        .when(process(amount=krona))
        .then(initiated(amount=krona), flagged(amount=krona, risk=risk(krona)))
    )

    assert payment.risk is not None
    assert payment.risk.reasons == ("no_limit_for_currency",)


def test_payment_of_blocked_customer_fails_with_fired_rules() -> None:
    blocked = replace(KNOWN, blocked=True)
    payment = (
        given()
        .when(process(features=blocked))
        .then(
            initiated(),
            failed(
                amount=SMALL,
                reason=FailureReason.BLOCKED_BY_POLICY,
                limit=None,
                risk=risk(features=blocked),
            ),
        )
    )

    assert (payment.status, payment.failure) == (Status.FAILED, FailureReason.BLOCKED_BY_POLICY)
    assert payment.risk is not None
    assert payment.risk.reasons == ("customer_blocked",)


def test_payment_without_features_is_not_flagged() -> None:
    given().when(process(amount=LARGE, features=None)).then(
        initiated(amount=LARGE), processed(amount=LARGE, risk=None)
    )


def test_payment_without_features_fails_over_method_limit() -> None:
    over = usd(25_000_01)
    given().when(process(amount=over, features=None)).then(
        initiated(amount=over), failed(amount=over)
    )


def test_first_event_keeps_reference_of_client() -> None:
    payment = (
        given()
        .when(process(reference="order-981"))
        .then(initiated(reference="order-981"), processed())
    )
    assert payment.reference == "order-981"


def test_every_event_repeats_terms_of_payment() -> None:
    """Projections read only events, so each event needs the payment's terms."""
    for command in (
        process(at=NOON + timedelta(microseconds=1)),
        process(amount=LARGE, features=UNKNOWN),
        process(amount=usd(25_000_01), features=KNOWN),
    ):
        outcome = given().when(command).outcome
        assert isinstance(outcome, tuple)
        for event in outcome:
            assert event.at == event.initiated_at == command.at
            assert event.client_id == command.client_id
            assert event.customer_id == CUSTOMER
            assert event.amount == command.amount
            assert event.method == command.method
