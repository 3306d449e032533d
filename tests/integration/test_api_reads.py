"""Reading over HTTP: pages, filters, what a client sees of its own, and that it sees nothing else."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments.api.problems import FIELD_CODES
from readmodels.models import PaymentSummary
from tests.api import PAYMENTS, RISKY, ApiClient, body_of, project
from tests.concurrency import session

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


def ids(client: ApiClient, path: str = PAYMENTS) -> list[str]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return [payment["id"] for payment in body_of(answer)["payments"]]


def test_a_payment_reads_as_it_was_answered(acme: ApiClient) -> None:
    submitted = acme.submit(**RISKY)
    path = submitted["Location"]
    before = acme.get(path)  # from the log: no projection has run
    project()
    after = acme.get(path)
    assert before.content == after.content == submitted.content
    assert before["ETag"] == after["ETag"] == '"2"'


def test_a_decided_payment_reads_as_it_was_answered(acme: ApiClient) -> None:
    path = acme.submit(**RISKY)["Location"]
    decided = acme.post(f"{path}/reject", {"reason": "suspected_fraud"})
    project()
    assert acme.get(path).content == decided.content


def test_a_payments_events_are_told_without_secrets(acme: ApiClient) -> None:
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
    told = answer.content.decode()
    for secret in ("secret", "digest", "metadata", "policy_id"):
        assert secret not in told


def test_pages_hold_every_payment_once(acme: ApiClient) -> None:
    submitted = [body_of(acme.submit(customer_id=f"c{n % 3}"))["id"] for n in range(7)]
    project()
    found, path = [], f"{PAYMENTS}?limit=3"
    while path:
        body = body_of(acme.get(path))
        assert len(body["payments"]) <= 3
        found += [payment["id"] for payment in body["payments"]]
        path = f"{PAYMENTS}?limit=3&cursor={body['next']}" if body["next"] else ""
    assert found == submitted[::-1]


def test_payments_of_one_moment_are_paged_too(acme: ApiClient) -> None:
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


def test_pages_begin_with_the_oldest_if_that_is_asked_for(acme: ApiClient) -> None:
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


def test_a_page_is_found_without_counting(acme: ApiClient) -> None:
    acme.submit()
    project()
    with CaptureQueriesContext(connection) as asked:
        for ordering in ("created_at", "-created_at"):
            acme.get(f"{PAYMENTS}?ordering={ordering}&limit=2")
    statements = " ".join(query["sql"] for query in asked).lower()
    assert "readmodels_paymentsummary" in statements
    assert "count(" not in statements
    assert "offset" not in statements


def test_filters_find_what_they_say(acme: ApiClient) -> None:
    small = body_of(acme.submit(amount=100, customer_id="ann"))["id"]
    risky = body_of(acme.submit(**RISKY))["id"]
    wallet = body_of(acme.submit(method="wallet", amount=700, customer_id="ann"))["id"]
    project()
    assert ids(acme, f"{PAYMENTS}?status=pending_review") == [risky]
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


def test_a_customers_reference_may_hold_anything(acme: ApiClient) -> None:
    payment = body_of(acme.submit(customer_id="a/b ünï?c"))["id"]
    project()
    assert ids(acme, "/api/v1/customers/a%2Fb%20%C3%BCn%C3%AF%3Fc/payments") == [payment]


@pytest.mark.parametrize("reference", ["%00", "two%0Alines", "%E2%80%AE", "4111111111111111"])
def test_a_reference_that_no_customer_can_have_is_refused(acme: ApiClient, reference: str) -> None:
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
        ("requires_review=yes", "requires_review"),
        ("customer_id=%00", "customer_id"),
        ("status=failed&status=completed", "status"),
        ("statsu=failed", "statsu"),
        ("format=xml", "format"),
        ("ordering=amount", "ordering"),
    ],
)
def test_a_bad_parameter_is_named(acme: ApiClient, query: str, field: str) -> None:
    answer = acme.get(f"{PAYMENTS}?{query}")
    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (400, "invalid_request")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["errors"][0]["code"] in FIELD_CODES


@pytest.mark.parametrize("path", [PAYMENTS, "/api/v1/customers/ann/payments"])
def test_a_time_with_any_offset_is_a_time(acme: ApiClient, path: str) -> None:
    """PostgreSQL knows no offset of sixteen hours: such a one was a 500, which schemathesis found."""
    for offset in ("Z", "%2B05:30", "-15:59", "%2B20:30", "-23:59"):
        assert acme.get(f"{path}?from=2026-01-01T12:00:00{offset}").status_code == 200
    for beyond in ("0001-01-01T00:00:00%2B01:00", "9999-12-31T23:59:59-01:00"):
        answer = acme.get(f"{path}?to={beyond}")
        assert (answer.status_code, body_of(answer)["code"]) == (400, "invalid_request")


def test_a_page_that_takes_too_long_asks_for_a_narrower_filter(
    acme: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readmodels.bounded._SECONDS", 0.2)
    with session() as holder, holder.transaction():
        holder.execute("LOCK TABLE readmodels_paymentsummary IN ACCESS EXCLUSIVE MODE")
        answer = acme.get(PAYMENTS)
    assert (answer.status_code, body_of(answer)["code"]) == (400, "filter_too_broad")
    assert acme.get(PAYMENTS).status_code == 200


def test_daily_statistics_sum_a_clients_day(acme: ApiClient) -> None:
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
    other = body_of(ApiClient("Bolt").get(f"/api/v1/statistics/daily?date={today}"))["days"]
    assert [day["total_volume"] for day in other] == [7]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "date=today",
        "from=2026-01-01",
        "date=2026-01-01&from=2026-01-01",
        "from=2026-01-02&to=2026-01-01",
        "from=2020-01-01&to=2026-01-01",
    ],
)
def test_statistics_need_a_sensible_date(acme: ApiClient, query: str) -> None:
    answer = acme.get(f"/api/v1/statistics/daily?{query}")
    assert (answer.status_code, body_of(answer)["code"]) == (400, "invalid_request")


def test_projections_tell_their_lag(acme: ApiClient) -> None:
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
    """Without the client in the query, each of these was answered."""
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
