"""Deliveries to webhook endpoints over the API: tests, replays, attempts, held payments, keys."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import Settings

from payments.clients.models import Scope
from readmodels.webhooks import keys
from readmodels.webhooks.models import Endpoint, Outcome
from tests.support.api import ApiClient, body_of, project
from tests.support.examples import NOON
from tests.support.webhook_api import ENDPOINTS, at, create, errors, send, stored
from tests.support.webhooks import URL, attempt, hold

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

KEYS = "/api/v1/webhook-keys"


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme", scopes=[Scope.WEBHOOKS_WRITE, Scope.PAYMENTS_WRITE])


def test_test_answers_with_the_id_of_the_message(acme: ApiClient) -> None:
    made = create(acme)
    send(acme, "POST", f"{at(made)}/pause")

    answer = send(acme, "POST", f"{at(made)}/test")

    test_id = stored(made).test_id
    assert test_id is not None
    assert (answer.status_code, body_of(answer)) == (
        202,
        {"message_id": f"evt_test_{test_id.hex}"},
    )


def test_replay_begins_after_a_position_or_at_a_time(acme: ApiClient) -> None:
    made = create(acme)
    last = int(acme.submit()["X-Event-Position"])
    project()
    Endpoint.objects.update(position=last)
    hold(stored(made), position=last)

    by_position = body_of(send(acme, "POST", f"{at(made)}/replay", {"after": last - 1}))
    assert (by_position["position"], by_position["lag"]["events"]) == (last - 1, 1)
    assert by_position["lag"]["held_payments"] == 0

    since = (timezone.now() - timedelta(days=1)).isoformat()
    by_time = body_of(send(acme, "POST", f"{at(made)}/replay", {"since": since}))
    assert by_time["position"] == last - 2
    later = body_of(send(acme, "POST", f"{at(made)}/replay", {"since": "2999-01-01"}))
    assert later["position"] == last - 2


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, ("after", "missing")),
        ({"after": 0, "since": "2026-01-01"}, ("since", "given_twice")),
        ({"after": -1}, ("after", "out_of_range")),
        ({"after": 2**63}, ("after", "out_of_range")),
        ({"after": 10**30}, ("after", "out_of_range")),
        ({"after": 2**63 - 1}, ("after", "position_ahead")),
        ({"after": "1"}, ("after", "wrong_type")),
        ({"after": 1.5}, ("after", "wrong_type")),
        ({"after": None}, ("after", "wrong_type")),
        ({"since": "yesterday"}, ("since", "wrong_format")),
        ({"since": 5}, ("since", "wrong_type")),
        ({"since": "2026-11-23T12:00:00Z", "x": 1}, ("x", "unknown_field")),
    ],
)
def test_replay_refuses_other_beginnings(
    acme: ApiClient, body: Any, wrong: tuple[str, str]
) -> None:
    made = create(acme)
    before = stored(made).position

    answer = send(acme, "POST", f"{at(made)}/replay", body)

    assert wrong in errors(answer)
    assert stored(made).position == before


def test_attempts_are_listed_newest_first_by_page_and_outcome(acme: ApiClient) -> None:
    made = create(acme)
    bolts = create(ApiClient("Bolt"))
    attempt(stored(bolts))
    # Two attempts share each time, so their ids decide the order.
    for number in range(1, 8):
        outcome = Outcome.DELIVERED if number % 2 else Outcome.FAILED
        attempt(
            stored(made),
            number=number,
            outcome=outcome,
            at=NOON + timedelta(seconds=number // 2),
        )

    def pages(query: str) -> Iterator[list[int]]:
        cursor: str | None = ""
        while cursor is not None:
            given = f"&cursor={cursor}" if cursor else ""
            answer = acme.get(f"{at(made)}/attempts?limit=2{query}{given}")
            assert answer.status_code == 200, answer.content
            page = body_of(answer)
            yield [each["number"] for each in page["attempts"]]
            cursor = page["next"]

    assert list(pages("")) == [[7, 6], [5, 4], [3, 2], [1]]
    assert list(pages("&outcome=failed")) == [[6, 4], [2]]
    assert list(pages("&outcome=failed&outcome=dropped")) == [[6, 4], [2]]
    assert list(pages("&outcome=dropped")) == [[]]
    page = body_of(acme.get(f"{at(made)}/attempts?limit=1"))
    (newest,) = page["attempts"]
    assert (newest["outcome"], newest["error"], newest["status"]) == ("delivered", None, 204)
    for query in (f"cursor={page['next']}&outcome=failed", "cursor=x", "outcome=lost", "limit=101"):
        assert acme.get(f"{at(made)}/attempts?{query}").status_code == 400, query
    payments = body_of(ApiClient().get("/api/v1/payments"))
    assert payments["next"] is None


def test_held_payments_are_listed_oldest_first(acme: ApiClient) -> None:
    made = create(acme)
    payments = [uuid4() for _ in range(5)]
    for number, payment in enumerate(payments):
        hold(stored(made), payment_id=payment, since=NOON + timedelta(seconds=number // 2))

    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = body_of(acme.get(f"{at(made)}/held?limit=2{cursor and f'&cursor={cursor}'}"))
        found += [each["payment_id"] for each in page["held_payments"]]
        cursor = page["next"]

    assert found == [str(payment) for payment in payments]


def test_lag_counts_events_that_are_not_delivered(acme: ApiClient) -> None:
    made = create(acme)
    other = create(acme, url=f"{URL}/2", event_types=["payment.refunded"])
    acme.submit()
    project()

    first, second = body_of(acme.get(ENDPOINTS))["endpoints"]

    assert (first["id"], second["id"]) == (made["id"], other["id"])
    assert (first["lag"]["events"], second["lag"]["events"]) == (1, 0)
    assert first["lag"]["seconds"] > 0


def test_keys_are_shown_to_keys_with_either_scope(settings: Settings) -> None:
    for scope in (Scope.PAYMENTS_READ, Scope.WEBHOOKS_WRITE):
        answer = ApiClient(scopes=[scope]).get(KEYS)
        assert body_of(answer) == {"keys": keys.public_keys()}
    answer = ApiClient(scopes=[Scope.PAYMENTS_WRITE]).get(KEYS)
    assert "payments:read or webhooks:write" in body_of(answer)["detail"]
    settings.WEBHOOK_KEYS = []
    answer = ApiClient().get(KEYS)
    assert (answer.status_code, body_of(answer)["code"]) == (503, "webhooks_not_configured")
    assert answer["Retry-After"] == "60"
