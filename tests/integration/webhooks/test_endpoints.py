"""The use cases of webhook endpoints."""

import logging
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction

from payments import actors
from payments.clients.models import Client
from payments.permissions import NotPermitted
from readmodels.feed.reading import PositionAhead
from readmodels.webhooks import endpoints, keys, lag
from readmodels.webhooks.endpoints import Settings
from readmodels.webhooks.models import (
    MOST_ENDPOINTS,
    Attempt,
    Endpoint,
    HeldPayment,
    State,
)
from tests.support.api import RISKY, ApiClient, project
from tests.support.backoffice import browser
from tests.support.concurrency import at_once, until_blocked
from tests.support.examples import NOON, OPERATOR
from tests.support.webhooks import URL, attempt, endpoint, hold

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LATER = NOON + timedelta(hours=1)


def test_create_makes_exactly_ten_endpoints_of_eleven_at_once() -> None:
    client = Client.objects.create(name="Acme")

    def create(number: int) -> bool:
        settings = Settings(url=f"{URL}/{number}")
        try:
            endpoints.create(client.pk, settings, at=NOON, by=OPERATOR)
        except endpoints.TooManyEndpoints:
            return False
        return True

    made = at_once(MOST_ENDPOINTS + 1, create)

    assert sorted(made) == [False] + [True] * MOST_ENDPOINTS
    numbers = Endpoint.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, MOST_ENDPOINTS + 1))


def test_create_makes_one_endpoint_of_a_request_sent_twice_at_once() -> None:
    client = Client.objects.create(name="Acme")

    def create(_: int) -> bool:
        try:
            endpoints.create(client.pk, Settings(url=URL), at=NOON, by=OPERATOR)
        except endpoints.UrlTaken:
            return False
        return True

    assert sorted(at_once(2, create)) == [False, True]


def test_create_reuses_the_number_of_a_deleted_endpoint() -> None:
    first, second = endpoint(url=f"{URL}/1"), endpoint(url=f"{URL}/2")

    endpoints.delete(first, at=LATER, by=OPERATOR)

    assert (endpoint(url=f"{URL}/3").number, second.number) == (1, 2)


def test_create_begins_after_the_events_so_far() -> None:
    ApiClient().submit()
    project()

    made = endpoint()

    assert lag.measure([made]) == {made.pk: lag.Lag(0, 0.0, 0)}
    assert made.position > 0


def test_change_refuses_the_url_of_another_endpoint() -> None:
    first, second = endpoint(), endpoint(url=f"{URL}/2")

    with pytest.raises(endpoints.UrlTaken) as refused:
        endpoints.change(second, Settings(url=URL), at=LATER, by=OPERATOR)

    assert refused.value.endpoint_id == first.pk


def test_change_tries_a_new_url_at_once() -> None:
    failing = endpoint()
    tomorrow = NOON + timedelta(days=1)
    Endpoint.objects.update(failures=3, failing_since=NOON, next_attempt_at=tomorrow)
    hold(failing, position=1)

    endpoints.change(failing, Settings(description="same"), at=LATER, by=OPERATOR)
    failing.refresh_from_db()
    assert (failing.failures, failing.next_attempt_at) == (3, tomorrow)

    endpoints.change(failing, Settings(url=f"{URL}/new"), at=LATER, by=OPERATOR)
    failing.refresh_from_db()
    assert (failing.failures, failing.failing_since) == (0, None)
    assert failing.next_attempt_at == failing.held.get().next_attempt_at == LATER


def test_delete_removes_attempts_and_held_payments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "_DELETED_AT_ONCE", 2)
    deleted, kept = endpoint(), endpoint(url=f"{URL}/2")
    for each in (deleted, kept):
        hold(each, position=1)
        for number in range(1, 6):
            attempt(each, number=number)

    endpoints.delete(deleted, at=LATER, by=OPERATOR)

    assert Endpoint.objects.get() == kept
    assert (Attempt.objects.count(), HeldPayment.objects.count()) == (5, 1)


def test_delete_waits_for_an_attempt_that_is_being_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An attempt that is still being recorded would otherwise survive the deletion."""
    made = endpoint()

    def record_or_delete(number: int) -> None:
        if number:
            recorded.wait(5)
            with monkeypatch.context() as patched:
                patched.setattr(endpoints, "pause", lambda *_, **__: None)  # waits as well
                endpoints.delete(made, at=LATER, by=OPERATOR)
            return
        with transaction.atomic():
            Endpoint.objects.update(test_id=None)
            attempt(made)
            recorded.set()
            until_blocked()

    recorded = threading.Event()
    at_once(2, record_or_delete)

    assert not Endpoint.objects.exists()
    assert not Attempt.objects.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"position": -1},
        {"number": 0},
        {"state": "gone"},
        {"failures": -1},
        {"failures": 1},
        {"failing_since": NOON},
        {"lease": UUID(int=1)},
        {"leased_until": NOON},
        {"old_secret": b"1"},
        {"disabled_reason": "Active"},
    ],
    ids=str,
)
def test_database_refuses_an_invalid_endpoint(values: dict[str, Any]) -> None:
    endpoint()

    with pytest.raises(IntegrityError, match="webhooks_endpoint"):
        Endpoint.objects.update(**values)


@pytest.mark.parametrize("values", [{"position": 0}, {"tries": -1}], ids=str)
def test_database_refuses_an_invalid_held_payment(values: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="webhooks_held_numbers"):
        hold(endpoint(), **values)


@pytest.mark.parametrize(
    "values",
    [
        {"outcome": "lost"},
        {"number": 0},
        {"milliseconds": -1},
        {"status": 99},
        {"status": 1000},
        {"position": None},
        {"position": 0},
        {"payment_id": None},
    ],
    ids=str,
)
def test_database_refuses_an_invalid_attempt(values: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="webhooks_attempt"):
        attempt(endpoint(), **values)


def test_use_cases_refuse_a_deleted_endpoint() -> None:
    gone = endpoint()
    Endpoint.objects.all().delete()
    for use in (endpoints.pause, endpoints.resume, endpoints.rotate_secret, endpoints.request_test):
        with pytest.raises(endpoints.EndpointGone):
            use(gone, at=LATER, by=OPERATOR)


def test_rotate_secret_keeps_the_old_secret_for_a_day() -> None:
    made = endpoint()
    before = keys.decrypt(made.secret)

    new = endpoints.rotate_secret(made, at=LATER, by=OPERATOR)

    made.refresh_from_db()
    assert made.old_secret is not None
    assert (keys.decrypt(made.secret), keys.decrypt(made.old_secret)) == (new, before)
    assert made.old_secret_until == LATER + timedelta(days=1)


@pytest.mark.parametrize(("hours", "kept"), [(1, "first"), (25, "second")])
def test_rotate_secret_again_keeps_the_secret_that_receivers_have(hours: int, kept: str) -> None:
    """A client that lost the answer rotates again. Its receivers still have the first secret."""
    made = endpoint()
    secrets = {"first": keys.decrypt(made.secret)}
    secrets["second"] = endpoints.rotate_secret(made, at=NOON, by=OPERATOR)

    endpoints.rotate_secret(made, at=NOON + timedelta(hours=hours), by=OPERATOR)

    made.refresh_from_db()
    assert made.old_secret is not None
    assert keys.decrypt(made.old_secret) == secrets[kept]


def test_resume_ends_the_waiting_time_of_a_disabled_endpoint() -> None:
    made = endpoint()
    hold(made, position=1)
    endpoints.disable(made, reason="410", at=NOON, by=endpoints.SERVICE)
    Endpoint.objects.update(failures=9, failing_since=NOON)

    endpoints.resume(made, at=LATER, by=OPERATOR)

    made.refresh_from_db()
    assert (made.state, made.disabled_reason, made.failures) == (State.ACTIVE, "", 0)
    assert (made.failing_since, made.next_attempt_at) == (None, LATER)
    assert made.held.get().next_attempt_at == LATER


def test_replay_moves_the_cursor_and_ends_the_lease() -> None:
    ApiClient().submit()
    made = endpoint()
    Endpoint.objects.update(position=2, lease=uuid4(), leased_until=LATER)
    hold(made, position=1)
    hold(made, position=2, payment_id=uuid4())

    endpoints.replay(made, after=1, at=LATER, by=OPERATOR)

    made.refresh_from_db()
    assert (made.position, made.lease, made.leased_until) == (1, None, None)
    assert made.held.get().position == 1
    with pytest.raises(PositionAhead):
        endpoints.replay(made, after=10**6, at=LATER, by=OPERATOR)


def test_replay_since_skips_no_event_that_is_not_delivered() -> None:
    acme, made = ApiClient(), endpoint()
    last = int(acme.submit()["X-Event-Position"])
    project()
    began = made.position

    endpoints.replay_since(made, since=NOON + timedelta(days=3650), at=LATER, by=OPERATOR)
    assert made.position == began

    Endpoint.objects.update(position=10**6)
    made.refresh_from_db()
    endpoints.replay_since(made, since=NOON - timedelta(days=3650), at=LATER, by=OPERATOR)
    assert made.position == last - 2  # before both events of the payment


def test_lag_counts_the_events_that_the_endpoint_receives() -> None:
    acme = ApiClient()
    all_, flagged_only = endpoint(), endpoint(url=f"{URL}/2", event_types=["payment.failed"])
    acme.submit()
    acme.submit(**RISKY)
    ApiClient("Bolt").submit()
    project()
    hold(all_, position=1)

    found = lag.measure([all_, flagged_only])

    assert (found[all_.pk].events, found[all_.pk].held) == (2, 1)
    assert found[all_.pk].seconds > 0
    assert found[flagged_only.pk] == lag.Lag(0, 0.0, 0)


def test_use_cases_refuse_other_clients_and_staff_without_the_permission() -> None:
    made = endpoint()
    bolt = Client.objects.create(name="Bolt")
    browser("analyst", "ann")
    for by in (actors.client(bolt.pk), staff("ann"), "", actors.system("other")):
        with pytest.raises(NotPermitted):
            endpoints.create(made.client_id, Settings(url=f"{URL}/2"), at=NOON, by=by)
        for use in (
            *(endpoints.pause, endpoints.resume, endpoints.rotate_secret),
            *(endpoints.request_test, endpoints.delete),
        ):
            with pytest.raises(NotPermitted):
                use(made, at=LATER, by=by)
        with pytest.raises(NotPermitted):
            endpoints.change(made, Settings(thin=True), at=LATER, by=by)
        with pytest.raises(NotPermitted):
            endpoints.replay(made, after=0, at=LATER, by=by)
        with pytest.raises(NotPermitted):
            endpoints.disable(made, reason="x", at=LATER, by=by)


def test_changes_are_logged_without_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = endpoint()
    secrets = [keys.decrypt(made.secret)]
    browser("risk manager", "mia")
    by = staff("mia")

    endpoints.change(made, Settings(thin=True), at=LATER, by=by)
    secrets.append(endpoints.rotate_secret(made, at=LATER, by=by))
    endpoints.delete(made, at=LATER, by=by)

    lines = [record.getMessage() for record in caplog.records if record.name == endpoints.__name__]
    client = actors.client(made.client_id)
    assert lines == [
        f"Webhook endpoint {made.pk}: {change}."
        for change in (
            f"created by {client}",
            f"changed (thin) by {by}",
            f"secret rotated by {by}",
            f"paused by {by}",
            f"deleted by {by}",
        )
    ]
    assert not any(secret in caplog.text for secret in secrets)


def staff(username: str) -> str:
    return actors.staff(get_user_model().objects.get(username=username).pk)
