"""Filters of the lists of payments: matching payments, and refused parameters."""

import random
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from payments.api.problems.problem import FIELD_CODES
from readmodels.models import PaymentSummary
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, ids, project
from tests.support.concurrency import session

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_filters_select_matching_payments(acme: ApiClient) -> None:
    small = body_of(acme.submit(amount=100, customer_id="ann"))["id"]
    risky = body_of(acme.submit(**RISKY))["id"]
    wallet = body_of(acme.submit(method="wallet", amount=700, customer_id="ann"))["id"]
    project()
    assert ids(acme, f"{PAYMENTS}?status=pending_review") == [risky]
    assert ids(acme, f"{PAYMENTS}?status=completed&status=pending_review") == [wallet, risky, small]
    assert ids(acme, f"{PAYMENTS}?status=failed&status=pending_review") == [risky]
    assert ids(acme, f"{PAYMENTS}?method=wallet") == [wallet]
    assert ids(acme, f"{PAYMENTS}?currency=EUR") == [wallet, small]
    assert ids(acme, f"{PAYMENTS}?requires_review=true") == [risky]
    assert ids(acme, f"{PAYMENTS}?requires_review=false") == [wallet, small]
    assert ids(acme, f"{PAYMENTS}?customer_id=ann") == [wallet, small]
    assert ids(acme, f"{PAYMENTS}?customer_id=nobody") == []
    assert ids(acme, f"{PAYMENTS}?currency=EUR&amount_min=101") == [wallet]
    assert ids(acme, f"{PAYMENTS}?currency=EUR&amount_max=100") == [small]
    tomorrow = (timezone.now() + timedelta(days=1)).date()
    assert ids(acme, f"{PAYMENTS}?from={tomorrow}") == []
    assert ids(acme, f"{PAYMENTS}?to={tomorrow}") == [wallet, risky, small]
    assert ids(acme, "/api/v1/customers/ann/payments") == [wallet, small]
    assert ids(acme, f"/api/v1/customers/ann/payments?from={tomorrow}") == []
    assert ids(acme, "/api/v1/customers/ann/payments?status=failed") == []
    assert ids(acme, "/api/v1/customers/ann/payments?status=failed&status=completed") == [
        *(wallet, small)
    ]


def test_filters_match_a_model_for_any_query(acme: ApiClient, *, long: bool) -> None:
    """The random filters use values of payments, so that range limits equal values exactly."""
    chance = random.Random(7)
    for number in range(40):
        each: dict[str, Any] = {
            "amount": chance.choice([100, 101, 700]),
            "currency": chance.choice(["EUR", "USD"]),
            "method": chance.choice(["wallet", "bank_transfer"]),
            "customer_id": chance.choice(["ann", "bob"]),
        }
        if number % 5 == 0:
            each = RISKY | {"customer_id": str(number)}
        acme.submit(**each | {"reference": f"order-{number}"})
    project()
    noon = timezone.now().replace(microsecond=0)
    for row in PaymentSummary.objects.all():
        moment = noon - timedelta(hours=chance.randrange(4))  # several payments share each time
        PaymentSummary.objects.filter(pk=row.pk).update(initiated_at=moment)
    everything = body_of(acme.get(f"{PAYMENTS}?limit=100"))["payments"]
    assert len(everything) == 40
    met = 0

    for _ in range(600 if long else 60):
        example = chance.choice(everything)
        query = _random_query(chance, example)
        expected = [each for each in everything if _matches(each, query)]
        expected.sort(key=lambda each: (each["created_at"], each["id"]))
        if query.get("ordering") != "created_at":
            expected.reverse()
        of = query.pop("customer", None)
        path = PAYMENTS if of is None else f"/api/v1/customers/{of}/payments"
        assert _all_pages(acme, path, query, chance.choice([1, 3, 100])) == [
            each["id"] for each in expected
        ]
        met += len(expected) > 0

    assert met > 20


def _random_query(chance: random.Random, example: dict[str, Any]) -> dict[str, str]:
    """Return a query with some filters, whose values are the payment's, and an order."""
    other = chance.random() < 0.3
    query: dict[str, str] = {}
    if chance.random() < 0.25:
        query["status"] = chance.choice([example["status"], "completed pending_review", "failed"])
    for name in ("method", "reference", "customer_id"):
        if not other and chance.random() < 0.25:
            query[name] = example[name]
    if other:
        query["customer"] = example["customer_id"]
    if not other and chance.random() < 0.3:
        query["requires_review"] = chance.choice(["true", "false"])
    if not other and chance.random() < 0.5:
        query["currency"] = example["currency"]
        for name in ("amount_min", "amount_max"):
            if chance.random() < 0.5:
                query[name] = str(example["amount"])
    for name in ("from", "to"):
        if chance.random() < 0.3:
            query[name] = example["created_at"]
    if chance.random() < 0.5:
        query["ordering"] = chance.choice(["created_at", "-created_at"])
    return query


def _matches(payment: dict[str, Any], query: dict[str, str]) -> bool:
    return all(_passes(payment, name, value) for name, value in query.items())


def _passes(payment: dict[str, Any], name: str, value: str) -> bool:
    """Return whether the payment matches the filter as the OpenAPI document describes it."""
    match name:
        case "customer":
            return bool(payment["customer_id"] == value)
        case "status":
            return payment[name] in value.split()
        case "requires_review":
            return (payment["review_deadline"] is not None) == (value == "true")
        case "amount_min":
            return bool(payment["amount"] >= int(value))
        case "amount_max":
            return bool(payment["amount"] <= int(value))
        case "from":
            return bool(payment["created_at"] >= value)
        case "to":
            return bool(payment["created_at"] < value)
        case "ordering":
            return True
        case _:
            return bool(payment[name] == value)


def _all_pages(client: ApiClient, path: str, query: dict[str, str], limit: int) -> list[str]:
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        each: dict[str, Any] = {**query, **cursor, "limit": limit}
        if "status" in query:
            each["status"] = query["status"].split()
        body = body_of(client.get(f"{path}?{urlencode(each, doseq=True)}"))
        found += [payment["id"] for payment in body["payments"]]
        assert len(body["payments"]) <= limit
        if body["next"] is None:
            return found
        cursor = {"cursor": body["next"]}


def test_customer_payments_accept_any_reference(acme: ApiClient) -> None:
    payment = body_of(acme.submit(customer_id="a/b ünï?c"))["id"]
    project()
    assert ids(acme, "/api/v1/customers/a%2Fb%20%C3%BCn%C3%AF%3Fc/payments") == [payment]


@pytest.mark.parametrize("reference", ["%00", "two%0Alines", "%E2%80%AE", "4111111111111111"])
def test_customer_payments_refuse_an_impossible_reference(acme: ApiClient, reference: str) -> None:
    answer = acme.get(f"/api/v1/customers/{reference}/payments")
    assert (answer.status_code, body_of(answer)["code"]) == (400, "invalid_request")
    assert [error["field"] for error in body_of(answer)["errors"]] == ["customer_id"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("currency=ZZZ", "currency"),
        ("amount_min=5", "currency"),
        ("amount_min=-5&currency=EUR", "amount_min"),
        ("amount_min=5.0&currency=EUR", "amount_min"),
        ("amount_max=9999999999999&currency=EUR", "amount_max"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("cursor=nonsense", "cursor"),
        ("cursor=WzFlOTksICIwIl0", "cursor"),
        ("cursor=" + "A" * 3_000, "cursor"),
        ("cursor=" + "W1tb" * 900, "cursor"),
        ("from=0000-01-01", "from"),
        ("from=yesterday", "from"),
        ("from=2026-01-01T00:00:00+01:00", "from"),
        ("from=2026-01-02&to=2026-01-01", "to"),
        ("amount_min=2&amount_max=1&currency=EUR", "amount_max"),
        ("requires_review=yes", "requires_review"),
        ("customer_id=%00", "customer_id"),
        ("status=failed&status=done", "status"),
        ("method=wallet&method=wallet", "method"),
        ("from=2026-W48-4", "from"),
        ("from=20261126", "from"),
        ("to=2026-W48-4T12:00:00Z", "to"),
        ("statsu=failed", "statsu"),
        ("format=xml", "format"),
        ("ordering=amount", "ordering"),
    ],
)
def test_bad_parameter_is_named(acme: ApiClient, query: str, field: str) -> None:
    answer = acme.get(f"{PAYMENTS}?{query}")
    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (400, "invalid_request")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["errors"][0]["code"] in FIELD_CODES


@pytest.mark.parametrize("path", [PAYMENTS, "/api/v1/customers/ann/payments"])
def test_time_with_any_offset_is_a_time(acme: ApiClient, path: str) -> None:
    """Regression: PostgreSQL refuses an offset of sixteen hours, which caused a 500."""
    for offset in ("Z", "%2B05:30", "-15:59", "%2B20:30", "-23:59"):
        assert acme.get(f"{path}?from=2026-01-01T12:00:00{offset}").status_code == 200
    for beyond in ("0001-01-01T00:00:00%2B01:00", "9999-12-31T23:59:59-01:00"):
        answer = acme.get(f"{path}?to={beyond}")
        assert (answer.status_code, body_of(answer)["code"]) == (400, "invalid_request")


def test_slow_list_asks_for_a_narrower_filter(
    acme: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readmodels.queries.bounded._SECONDS", 0.2)
    with session() as holder, holder.transaction():
        holder.execute("LOCK TABLE readmodels_paymentsummary IN ACCESS EXCLUSIVE MODE")
        answer = acme.get(PAYMENTS)
    assert (answer.status_code, body_of(answer)["code"]) == (400, "filter_too_broad")
    assert acme.get(PAYMENTS).status_code == 200
