"""A customer's risk features come from one query over projections that may lag."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import pytest
from django.db import connection

from payments.aggregates import PAYMENT_AGGREGATE
from payments.clients.models import Client
from payments.customers.models import Customer
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.risk.conditions import RiskFeatures, Velocity
from payments.events import store
from payments.events.metadata import Metadata
from payments.events.reading import streams
from readmodels.engine.runner import catch_up
from readmodels.models import PaymentSummary
from readmodels.projections import PROJECTIONS
from readmodels.queries import risk_features
from tests.support.api import ApiClient, body_of, project
from tests.support.example_events import initiated, processed, refunded
from tests.support.examples import CLIENT, CUSTOMER, usd
from tests.support.roundtrips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)

NOW: Final = datetime(2026, 1, 6, 12, 2, tzinfo=UTC)
BY_TEST: Final = Metadata(actor="system:test", command="process_payment")


def paid(ago: timedelta = timedelta(), **changes: Any) -> None:
    """Complete a payment of the customer `ago` before NOW."""
    terms = {"at": NOW - ago, "initiated_at": NOW - ago, **changes}
    events = (initiated(**terms), processed(**terms))
    store.append(PAYMENT_AGGREGATE, uuid4(), events, expected=0, metadata=BY_TEST)


def known(currency: str = "USD") -> RiskFeatures:
    found = risk_features.of_customer(CUSTOMER, currency=currency, item_keys=(), at=NOW)
    return found.features


def test_features_of_an_unknown_customer_are_empty() -> None:
    nothing = Velocity(count_1h=0, volume_1h=0, count_24h=0, volume_24h=0)
    assert known() == RiskFeatures(
        paid_by_card_before=False,
        position=0,
        age_ms=0,
        new_customer=True,
        blocked=False,
        velocity=nothing,
        lists=(),
    )


def test_features_use_the_partial_index_for_card_payments() -> None:
    paid(method=Method.WALLET)
    project()
    copies = """
        INSERT INTO readmodels_paymentsummary
        SELECT copy.* FROM readmodels_paymentsummary AS payment, generate_series(1, 20000) AS n,
               LATERAL jsonb_populate_record(
                   payment, jsonb_build_object('payment_id', md5(n::text)::uuid)) AS copy
    """
    parameters: dict[str, Any] = {
        "customer_id": CUSTOMER,
        "currency": "USD",
        "keys": "",
        "at": NOW,
    }

    with connection.cursor() as cursor:
        cursor.execute(copies)
        cursor.execute("ANALYZE readmodels_paymentsummary")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {risk_features._FEATURES}", parameters)
        plan = json.dumps(cursor.fetchone())

    assert sum(map(int, re.findall(r'"Rows Removed by Filter": (\d+)', plan))) < 100, plan


def test_partial_refund_counts_as_paid_and_full_refund_does_not() -> None:
    def given_back(minor: int) -> None:
        events = (initiated(), processed(), refunded(minor))
        store.append(PAYMENT_AGGREGATE, uuid4(), events, expected=0, metadata=BY_TEST)

    given_back(100_00)
    project()
    assert not known().paid_by_card_before
    given_back(40_00)
    project()
    assert known().paid_by_card_before


def test_velocity_counts_payments_within_an_hour_and_a_day() -> None:
    for ago, minor in (
        (timedelta(), 1),
        (timedelta(minutes=59), 10),
        (timedelta(minutes=68), 100),  # its bucket, 10:50 to 10:55, ended more than an hour ago
        (timedelta(hours=23, minutes=59), 1_000),
        (timedelta(hours=24, minutes=8), 10_000),
        (-timedelta(minutes=6), 100_000),  # an import may contain later payments
    ):
        paid(ago, amount=usd(minor))
    paid(customer_id=uuid4())
    project()

    assert known().velocity == Velocity(count_1h=2, volume_1h=11, count_24h=4, volume_24h=1_111)


def test_velocity_counts_a_bucket_until_its_end_leaves_the_window() -> None:
    paid(timedelta(minutes=62))  # at 11:00:00, in the bucket that ends at 11:05
    project()

    assert known().velocity == Velocity(
        count_1h=1, volume_1h=100_00, count_24h=1, volume_24h=100_00
    )


def test_velocity_counts_all_currencies_but_sums_one() -> None:
    paid(amount=usd(5))
    paid(amount=Money(7, "JPY"))
    project()

    assert known("JPY").velocity == Velocity(count_1h=2, volume_1h=7, count_24h=2, volume_24h=7)
    assert known("EUR").velocity == Velocity(count_1h=2, volume_1h=0, count_24h=2, volume_24h=0)


def test_features_of_a_registered_customer() -> None:
    client = Client.objects.create(pk=CLIENT, name="Acme")
    Customer.objects.create(pk=CUSTOMER, client=client, reference="customer-123")
    paid(method=Method.WALLET)
    project()
    assert known().new_customer is False
    assert known().blocked is False
    assert not known().paid_by_card_before
    paid(method=Method.DEBIT_CARD)
    project()
    assert known().paid_by_card_before


@pytest.mark.parametrize("behind", ["payment_summary", "customer_activity"])
def test_features_have_the_age_of_the_projection_that_lags(behind: str) -> None:
    paid()
    assert known().position == 0
    assert known().age_ms > 0
    project()
    paid()
    before = known()
    for name in {"payment_summary", "customer_activity"} - {behind}:
        catch_up(PROJECTIONS[name])
    assert (known().position, known().age_ms >= before.age_ms) == (before.position, True)
    catch_up(PROJECTIONS[behind])
    assert (known().position, known().age_ms) == (before.position + 2, 0)


def test_features_take_one_round_trip() -> None:
    for _ in range(6):  # until the statement is prepared
        known()
    with round_trips() as counted:
        known()

    assert counted.count == 1


def test_burst_of_payments_with_a_high_total_goes_to_review() -> None:
    acme = ApiClient()
    burst = {"currency": "USD", "method": "bank_transfer"}
    for _ in range(20):
        acme.submit(amount=3_000_00, **burst)
    project()

    answer = body_of(acme.submit(amount=15_000_00, **burst))

    assert answer["status"] == "pending_review"
    assert answer["risk"] == {
        "score": 80,
        "band": "high",
        "reasons": ["many_payments_1h", "large_volume_24h"],
    }


def test_features_contain_the_country_of_the_request() -> None:
    acme = ApiClient()
    answer = acme.submit(key="1", country="DE")
    assert answer.status_code == 201
    (event,) = streams.history(PAYMENT_AGGREGATE, body_of(answer)["id"])[1:]
    assert event.event.risk.features.country == "DE"  # type: ignore[union-attr]
    assert acme.submit(key="1", country="DE").headers["Idempotency-Replayed"] == "true"
    differs = body_of(acme.submit(key="1", country="FR"))
    assert [error["field"] for error in differs["errors"]] == ["country"]
    wrong = acme.submit(country="Germany")
    assert wrong.status_code == 400
    assert [error["field"] for error in body_of(wrong)["errors"]] == ["country"]


def test_payment_of_a_blocked_customer_fails_while_projections_lag() -> None:
    acme = ApiClient()
    acme.submit(customer_id="mallory")
    Customer.objects.update(blocked=True)
    answer = body_of(acme.submit(customer_id="mallory"))
    assert (answer["status"], answer["failure_reason"]) == ("failed", "blocked_by_policy")
    assert answer["risk"]["reasons"] == ["customer_blocked"]
    project()
    assert PaymentSummary.objects.filter(status="failed", risk_score=100).count() == 1
