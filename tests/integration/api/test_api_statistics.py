"""Daily statistics and the state of the projections over HTTP."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from payments.application.dispatch import CommandContext, dispatch
from payments.domain.payment.commands import ExpireReview
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, project

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


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
        "date=2026-01-01&currency=ZZZ",
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
