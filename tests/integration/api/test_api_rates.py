"""The rate limit of a key is exact, and every answer shows the remaining requests."""

import pytest
from pytest_django import Settings

from payments.clients.models import Scope
from tests.support.api import PAYMENTS, ApiClient, body_of
from tests.support.concurrency import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_rate_limit_is_exact_for_concurrent_requests(settings: Settings) -> None:
    """If the bucket were read and written in two steps, more than ten requests would pass."""
    settings.API_RATE_PER_MINUTE = 10
    client = ApiClient()
    statuses = at_once(16, lambda _: client.get("/api/v1/projections").status_code)
    assert sorted(statuses) == [200] * 10 + [429] * 6
    answer = client.get("/api/v1/projections")
    assert body_of(answer)["code"] == "throttled"
    assert 1 <= int(answer["Retry-After"]) <= 6
    assert ApiClient("Bolt").get("/api/v1/projections").status_code == 200


def test_rate_limit_headers_show_the_remaining_requests(settings: Settings) -> None:
    settings.API_RATE_PER_MINUTE = 4
    client = ApiClient()
    limits = []
    for path in (PAYMENTS, f"{PAYMENTS}?limit=0", f"{PAYMENTS}/{client.client_id}", PAYMENTS):
        answer = client.get(path)
        assert answer["RateLimit-Policy"] == '"key";q=4;w=60'
        limits.append(answer["RateLimit"])
    assert limits == [f'"key";r={left};t=15' for left in (3, 2, 1, 0)]
    refused = client.get(PAYMENTS)
    assert refused.status_code == 429
    assert refused["RateLimit"] == f'"key";r=0;t={refused["Retry-After"]}'
    assert "RateLimit" not in client.get(PAYMENTS, Authorization="")


def test_rate_limit_counts_refused_requests(settings: Settings) -> None:
    """If the throttle ran after checks of scope and media type, these requests would not count."""
    settings.API_RATE_PER_MINUTE = 5
    client = ApiClient(scopes=[Scope.STATISTICS_READ])

    refused = [
        client.get(PAYMENTS),  # the key lacks the scope
        client.get("/api/v1/statistics/daily", Accept="text/html"),
        client.send("DELETE", PAYMENTS),
        client.post(PAYMENTS, {}),
        client.get("/api/v1/statistics/daily"),
    ]

    assert [each.status_code for each in refused] == [403, 406, 405, 403, 400]
    assert [each["RateLimit"] for each in refused] == [
        f'"key";r={left};t=12' for left in (4, 3, 2, 1, 0)
    ]
    assert client.get(PAYMENTS).status_code == 429
