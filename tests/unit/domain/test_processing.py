"""Stories of taking a payment: it is completed, it fails, or it waits for a person."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.events import AnyPaymentEvent, FailureReason
from payments.domain.payment.refusals import (
    PaymentAlreadyFinished,
    PaymentDiffers,
    PaymentNotFound,
    PaymentUnderReview,
)
from payments.domain.payment.state import Status
from payments.domain.risk.policy import Band
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
    approved,
    failed,
    flagged,
    initiated,
    process,
    processed,
    processed_after_approval,
    rejected,
    risk,
    usd,
)
from tests.support.scenario import given


def test_a_harmless_payment_is_initiated_and_completed_at_once() -> None:
    payment = given().when(process()).then(initiated(), processed())
    assert (payment.status, payment.version) == (Status.COMPLETED, 2)
    assert payment.processed_at == NOON


def test_a_payment_initiated_earlier_is_processed_by_the_command_that_follows() -> None:
    # The article's own example of a test: one event given, one command, one event expected.
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
def test_an_initiated_payment_is_processed_on_its_own_terms_only(
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
def test_a_finished_payment_is_never_processed_again(
    history: tuple[AnyPaymentEvent, ...], status: str
) -> None:
    given(*history).when(process(at=LATER)).then_refused(PaymentAlreadyFinished, status=status)


def test_a_payment_under_review_is_not_processed_past_the_reviewer() -> None:
    given(initiated(), flagged()).when(process(at=LATER)).then_refused(
        PaymentUnderReview, status="pending_review"
    )


def test_another_clients_payment_is_invisible() -> None:
    error = given(initiated()).when(process(client_id=OTHER_CLIENT)).then_refused(PaymentNotFound)
    assert str(error) == f"There is no payment {PAYMENT}."


def test_over_the_methods_limit_a_payment_fails_with_the_reason_and_the_limit() -> None:
    over = usd(25_000_01)
    payment = (
        given()
        .when(process(amount=over))
        .then(initiated(amount=over), failed(amount=over, limit=usd(25_000_00)))
    )
    assert payment.status is Status.FAILED
    assert payment.failure is FailureReason.METHOD_LIMIT_EXCEEDED


def test_exactly_the_methods_limit_passes() -> None:
    limit = usd(25_000_00)
    given().when(process(amount=limit)).then(
        initiated(amount=limit), processed(amount=limit, risk=risk(limit))
    )


def test_each_method_has_a_limit_of_its_own_in_each_currency() -> None:
    yen = Money(700_001, "JPY")
    given().when(process(amount=yen, method=Method.WALLET)).then(
        initiated(amount=yen, method=Method.WALLET),
        failed(amount=yen, method=Method.WALLET, limit=Money(700_000, "JPY")),
    )


def test_the_methods_limit_comes_first_because_nobody_should_review_what_cannot_pass() -> None:
    over = usd(25_000_01)
    assert risk(over, UNKNOWN).review
    given().when(process(amount=over, features=UNKNOWN)).then(
        initiated(amount=over), failed(amount=over)
    )


def test_a_large_first_card_payment_waits_for_review() -> None:
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


def test_a_first_card_payment_of_exactly_the_review_limit_passes() -> None:
    limit = usd(10_000_00)
    given().when(process(amount=limit, features=UNKNOWN)).then(
        initiated(amount=limit), processed(amount=limit, risk=risk(limit, UNKNOWN))
    )


def test_one_cent_over_the_review_limit_does_not() -> None:
    over = usd(10_000_01)
    given().when(process(amount=over, features=UNKNOWN)).then(
        initiated(amount=over), flagged(amount=over, risk=risk(over, UNKNOWN))
    )


def test_a_large_payment_of_a_customer_who_paid_by_card_before_passes() -> None:
    given().when(process(amount=LARGE)).then(
        initiated(amount=LARGE), processed(amount=LARGE, risk=risk(LARGE))
    )


def test_a_large_first_bank_transfer_passes_because_the_rule_is_about_cards() -> None:
    assert (
        given().when(process(amount=LARGE, features=UNKNOWN, method=Method.BANK_TRANSFER)).names()
    ) == ("PaymentInitiated", "PaymentProcessed")


def test_with_stale_features_anything_but_a_small_amount_waits_for_review() -> None:
    amount = usd(1_000_01)
    payment = (
        given()
        .when(process(amount=amount, features=STALE))
        .then(initiated(amount=amount), flagged(amount=amount, risk=risk(amount, STALE)))
    )
    assert payment.risk is not None
    assert payment.risk.reasons == ("features_stale",)


def test_with_stale_features_a_small_amount_still_passes() -> None:
    amount = usd(1_000_00)
    given().when(process(amount=amount, features=STALE)).then(
        initiated(amount=amount), processed(amount=amount, risk=risk(amount, STALE))
    )


def test_a_currency_without_a_limit_waits_for_review_however_small_the_amount() -> None:
    krona = Money(1, "SEK")
    payment = (
        given()
        .when(process(amount=krona))
        .then(initiated(amount=krona), flagged(amount=krona, risk=risk(krona)))
    )
    assert payment.risk is not None
    assert payment.risk.reasons == ("no_limit_for_currency",)


def test_a_payment_of_a_blocked_customer_fails_and_tells_by_which_rules() -> None:
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


def test_where_risk_is_not_assessed_nothing_waits_for_review() -> None:
    given().when(process(amount=LARGE, features=None)).then(
        initiated(amount=LARGE), processed(amount=LARGE, risk=None)
    )


def test_where_risk_is_not_assessed_the_methods_limit_still_holds() -> None:
    over = usd(25_000_01)
    given().when(process(amount=over, features=None)).then(
        initiated(amount=over), failed(amount=over)
    )


def test_the_first_event_keeps_the_clients_own_reference() -> None:
    payment = (
        given()
        .when(process(reference="order-981"))
        .then(initiated(reference="order-981"), processed())
    )
    assert payment.reference == "order-981"


def test_every_event_repeats_what_projections_need() -> None:
    """A projection never looks at the write side, so what an event leaves out is lost for it."""
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
