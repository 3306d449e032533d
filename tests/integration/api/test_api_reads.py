"""Reads over HTTP: pages, filters, statistics and isolation."""

import random
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments.api.problems.problem import FIELD_CODES
from payments.application.dispatch import CommandContext, dispatch
from payments.domain.payment.commands import ExpireReview
from readmodels.models import PaymentSummary
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, project
from tests.support.concurrency import session

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


def ids(client: ApiClient, path: str = PAYMENTS) -> list[str]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return [payment["id"] for payment in body_of(answer)["payments"]]


def test_read_of_a_payment_equals_the_answer_to_its_submission(acme: ApiClient) -> None:
    submitted = acme.submit(**RISKY)
    path = submitted["Location"]
    before = acme.get(path)  # no projection has run, so the log answers
    project()
    after = acme.get(path)
    assert before.content == after.content == submitted.content
    assert before["ETag"] == after["ETag"] == '"2"'


def test_read_after_a_decision_equals_the_answer_to_the_decision(acme: ApiClient) -> None:
    path = acme.submit(**RISKY)["Location"]
    decided = acme.post(f"{path}/reject", {"reason": "suspected_fraud"})
    project()
    assert acme.get(path).content == decided.content


def test_payment_events_omit_operator_fields(acme: ApiClient) -> None:
    path = acme.submit(**RISKY)["Location"]
    acme.post(f"{path}/approve", {"reason": "other", "note": "secret"})
    answer = acme.get(f"{path}/events")
    events = body_of(answer)["events"]
    assert [event["version"] for event in events] == [1, 2, 3, 4]
    assert [event["type"] for event in events] == [
        "payment.initiated",
        "payment.flagged_for_review",
        "payment.approved",
        "payment.processed",
    ]
    assert events[1]["data"]["reasons"] == ["first_card_payment_large"]
    content = answer.content.decode()
    for secret in ("secret", "digest", "metadata", "policy_id"):
        assert secret not in content


def test_keyset_pages_hold_every_payment_once(acme: ApiClient) -> None:
    submitted = [body_of(acme.submit(customer_id=f"c{n % 3}"))["id"] for n in range(7)]
    project()
    found, path = [], f"{PAYMENTS}?limit=3"
    while path:
        body = body_of(acme.get(path))
        assert len(body["payments"]) <= 3
        found += [payment["id"] for payment in body["payments"]]
        path = f"{PAYMENTS}?limit=3&cursor={body['next']}" if body["next"] else ""
    assert found == submitted[::-1]


def test_keyset_pages_handle_equal_times(acme: ApiClient) -> None:
    for _ in range(5):
        acme.submit()
    project()
    PaymentSummary.objects.update(initiated_at=timezone.now())
    first = body_of(acme.get(f"{PAYMENTS}?limit=2"))
    second = body_of(acme.get(f"{PAYMENTS}?limit=2&cursor={first['next']}"))
    third = body_of(acme.get(f"{PAYMENTS}?limit=2&cursor={second['next']}"))
    pages = [first, second, third]
    assert len({each["id"] for page in pages for each in page["payments"]}) == 5
    assert third["next"] is None


def test_keyset_pages_can_begin_with_the_oldest(acme: ApiClient) -> None:
    submitted = [body_of(acme.submit())["id"] for _ in range(5)]
    project()
    PaymentSummary.objects.filter(pk__in=submitted[3:]).update(initiated_at=timezone.now())
    oldest_first = [*submitted[:3], *sorted(submitted[3:])]
    for ordering, expected in (("created_at", oldest_first), ("-created_at", oldest_first[::-1])):
        path = f"{PAYMENTS}?ordering={ordering}&limit=2"
        first = body_of(acme.get(path))
        second = body_of(acme.get(f"{path}&cursor={first['next']}"))
        third = body_of(acme.get(f"{path}&cursor={second['next']}"))
        pages = [first, second, third]
        assert [each["id"] for page in pages for each in page["payments"]] == expected
        assert third["next"] is None


def test_keyset_page_needs_no_count(acme: ApiClient) -> None:
    acme.submit()
    project()
    with CaptureQueriesContext(connection) as queries:
        for ordering in ("created_at", "-created_at"):
            acme.get(f"{PAYMENTS}?ordering={ordering}&limit=2")
    statements = " ".join(query["sql"] for query in queries).lower()
    assert "readmodels_paymentsummary" in statements
    assert "count(" not in statements
    assert "offset" not in statements


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
    """Random filters use values of payments, which lie exactly at the ends of ranges."""
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
        moment = noon - timedelta(hours=chance.randrange(4))  # several payments of the same time
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
    """Return some filters with values of a payment, and an order."""
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
    """Return whether the payment matches, by the document's description of the filters."""
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


def test_cursor_of_another_list_is_refused(acme: ApiClient) -> None:
    """Regression: another list began its page at an arbitrary place."""
    for _ in range(3):
        acme.submit()
    project()
    cursor = body_of(acme.get(f"{PAYMENTS}?limit=1"))["next"]
    assert acme.get(f"{PAYMENTS}?limit=2&cursor={cursor}").status_code == 200
    for other in ("ordering=created_at", "status=completed", "from=2026-01-01"):
        answer = acme.get(f"{PAYMENTS}?{other}&cursor={cursor}")
        assert (answer.status_code, body_of(answer)["errors"][0]["field"]) == (400, "cursor")
    assert acme.get(f"/api/v1/customers/customer-123/payments?cursor={cursor}").status_code == 400


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
        ("currency=XXX", "currency"),
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
    """PostgreSQL accepts no offset of sixteen hours, which was a 500."""
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


def test_daily_statistics_sum_the_payments_of_a_client(acme: ApiClient) -> None:
    acme.submit(amount=100)
    acme.submit(amount=301)
    acme.submit(**RISKY)
    ApiClient("Bolt").submit(amount=7)
    project()
    today = timezone.now().date()
    days = body_of(acme.get(f"/api/v1/statistics/daily?date={today}"))["days"]
    assert [day["currency"] for day in days] == ["EUR", "USD"]
    assert (days[0]["total_count"], days[0]["total_volume"], days[0]["average"]) == (2, 401, 200.5)
    assert (days[1]["review_count"], days[1]["open_reviews"]) == (1, 1)
    week = f"from={today - timedelta(days=6)}&to={today}"
    assert body_of(acme.get(f"/api/v1/statistics/daily?{week}"))["days"] == days
    for range_ in (week, f"date={today}"):
        answer = acme.get(f"/api/v1/statistics/daily?{range_}&currency=USD")
        assert body_of(answer)["days"] == days[1:]
    other = body_of(ApiClient("Bolt").get(f"/api/v1/statistics/daily?date={today}"))["days"]
    assert [day["total_volume"] for day in other] == [7]


def test_daily_statistics_count_cancelled_and_expired_payments(acme: ApiClient) -> None:
    waiting = [
        body_of(acme.submit(**RISKY | {"reference": f"order-{n}", "customer_id": f"customer-{n}"}))
        for n in range(3)
    ]
    acme.post(f"{PAYMENTS}/{waiting[0]['id']}/cancel", {"reason": "other"})
    late = timezone.now() + timedelta(days=8)
    dispatch(
        ExpireReview(payment_id=UUID(waiting[1]["id"]), client_id=None, at=late),
        CommandContext(actor="system:test"),
    )
    project()

    today = timezone.now().date()
    week = f"from={today}&to={late.date()}"
    first, *_ = days = body_of(acme.get(f"/api/v1/statistics/daily?{week}"))["days"]

    assert [day["date"] for day in days] == [str(late.date()), str(today)]
    assert (first["expired_count"], first["expired_volume"]) == (1, RISKY["amount"])
    assert (days[1]["cancelled_count"], days[1]["cancelled_volume"]) == (1, RISKY["amount"])
    assert (days[1]["total_count"], days[1]["open_reviews"]) == (3, 1)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "date=today",
        "date=2026-W48-4",
        "date=20261126",
        "date=2026-01-01&currency=XXX",
        "currency=EUR",
        "from=2026-01-01",
        "date=2026-01-01&from=2026-01-01",
        "from=2026-01-02&to=2026-01-01",
        "from=2020-01-01&to=2026-01-01",
    ],
)
def test_daily_statistics_refuse_wrong_dates(acme: ApiClient, query: str) -> None:
    answer = acme.get(f"/api/v1/statistics/daily?{query}")
    assert (answer.status_code, body_of(answer)["code"]) == (400, "invalid_request")


def test_projections_show_their_lag(acme: ApiClient) -> None:
    acme.submit()
    behind = body_of(acme.get("/api/v1/projections"))["projections"]
    assert {each["events"] for each in behind} == {2}
    project()
    current = body_of(acme.get("/api/v1/projections"))["projections"]
    assert {each["events"] for each in current} == {0}


@pytest.mark.parametrize("path", ["", "/events"])
@pytest.mark.parametrize("projected", [True, False])
def test_another_clients_payment_does_not_exist(
    acme: ApiClient, path: str, *, projected: bool
) -> None:
    """Regression: each of these was found when the query ignored the client."""
    payment = body_of(acme.submit(**RISKY))["id"]
    if projected:
        project()
    bolt = ApiClient("Bolt")
    for unknown in (
        bolt.get(f"{PAYMENTS}/{payment}{path}"),
        acme.get(f"{PAYMENTS}/{uuid4()}{path}"),
    ):
        assert (unknown.status_code, body_of(unknown)["code"]) == (404, "payment_not_found")
    assert ids(bolt) == []
    assert ids(bolt, "/api/v1/customers/customer-123/payments") == []
