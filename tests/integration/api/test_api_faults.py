"""The API while Valkey, the database or the broker is unreachable."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import connection
from django.test import Client as Browser
from django.utils import timezone
from pytest_django import Settings

from config.stack.valkey import Valkey
from payments.api.http import throttling
from payments.clients.keyring import keyring
from payments.events.models import Event
from payments.valkey import TIMEOUT_SECONDS, Connection, Script
from tests.support.api import PAYMENTS, ApiClient, body_of
from tests.support.concurrency import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def valkey(own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> Valkey:
    """Use a Valkey of this test for rate limits only. Wake-ups use the shared one."""
    monkeypatch.setattr(throttling, "_leases", throttling._Leases(Connection(own_valkey.url())))
    monkeypatch.setattr(throttling, "_breaker", throttling._Breaker())
    monkeypatch.setattr(throttling, "_local", throttling._LocalBuckets())
    return own_valkey


@contextmanager
def no_database(folder: Path) -> Iterator[None]:
    """Direct new connections to a folder without a server's socket."""
    host = connection.settings_dict["HOST"]
    connection.close()
    connection.settings_dict["HOST"] = str(folder)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["HOST"] = host


@pytest.mark.parametrize("fault", ["stop", "freeze"])
def test_submit_takes_under_a_second_without_valkey(valkey: Valkey, fault: str) -> None:
    client = ApiClient()
    assert client.submit().status_code == 201
    getattr(valkey, fault)()
    began = time.monotonic()
    first = client.submit()
    took = time.monotonic() - began
    began = time.monotonic()
    later = [client.submit().status_code for _ in range(10)]
    later_took = time.monotonic() - began
    assert (first.status_code, later) == (201, [201] * 10)
    assert took < 1
    # Without the breaker, each request would wait for the timeout of the frozen Valkey.
    assert later_took < 10 * TIMEOUT_SECONDS / 2


def test_rate_limit_holds_per_process_without_valkey(valkey: Valkey, settings: Settings) -> None:
    settings.API_RATE_PER_MINUTE = 10
    client = ApiClient()
    valkey.stop()
    answers = at_once(16, lambda _: client.get("/api/v1/projections"))
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429] * 6
    left = sorted(answer["RateLimit"].split(";")[1] for answer in answers)
    assert left == sorted([f"r={count}" for count in range(10)] + ["r=0"] * 6)


def test_rate_limit_uses_valkey_again_when_it_returns(
    valkey: Valkey, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.API_RATE_PER_MINUTE = 2
    client = ApiClient()
    valkey.freeze()
    assert [client.get("/api/v1/projections").status_code for _ in range(3)] == [200, 200, 429]
    valkey.thaw()
    assert client.get("/api/v1/projections").status_code == 429  # Valkey is not asked yet
    monkeypatch.setattr(throttling._breaker, "_ask_again_at", 1e-9)  # the pause ends
    assert client.get("/api/v1/projections").status_code == 200  # taken from the shared bucket
    assert throttling._breaker.lets_through()


def test_rate_limit_leases_save_round_trips_under_load(
    own_valkey: Valkey,
) -> None:
    """Two processes that lease tokens allow exactly as many requests as the bucket has tokens."""
    commands: list[str] = []

    class Asked(Connection):
        def ask(self, *command: str | float) -> Any:
            commands.append(str(command[0]))
            return super().ask(*command)

    processes = [throttling._Leases(Asked(own_valkey.url())) for _ in range(2)]
    began = time.monotonic()
    passed = sum(
        at_once(8, lambda number: _spent(processes[number % 2], requests=400, limit=2_000))
    )
    gained = (time.monotonic() - began) * 2_000 / 60
    assert 2_000 - 2 * 20 <= passed <= 2_000 + gained
    assert passed / 10 > sum(command == "EVALSHA" for command in commands) - (3_200 - passed)


def _spent(leases: throttling._Leases, *, requests: int, limit: int) -> int:
    return sum(leases.take("key", burst=limit, rate=limit / 60)[0] for _ in range(requests))


def test_rate_limit_returns_unspent_tokens(own_valkey: Valkey) -> None:
    leases = throttling._Leases(Connection(own_valkey.url()))

    def left() -> float:
        return leases.take("key", burst=1_000, rate=0.001)[1]

    for count in range(1, 51):  # by then, a lease has grown to ten tokens
        assert left() == pytest.approx(1_000 - count, abs=0.01)
    time.sleep(throttling._LEASE_SECONDS)
    assert left() == pytest.approx(949, abs=0.01)
    another = throttling._Leases(Connection(own_valkey.url()))
    time.sleep(throttling._LEASE_SECONDS)
    left()
    assert another.take("key", burst=1_000, rate=0.001)[1] == pytest.approx(947, abs=0.01)


def test_rate_limit_does_not_return_expired_tokens(own_valkey: Valkey) -> None:
    """Regression: tokens that were returned late overfilled the bucket."""
    one, another = (throttling._Leases(Connection(own_valkey.url())) for _ in range(2))
    limit = 6_000
    for _ in range(70):  # by then, a lease has grown to dozens of tokens
        one.take("key", burst=limit, rate=limit / 60)
    time.sleep(1)
    while another.take("key", burst=limit, rate=limit / 60)[0]:
        pass
    _, left = one.take("key", burst=limit, rate=limit / 60)

    assert left < 10


def test_rate_limit_gives_the_last_tokens_to_any_process(own_valkey: Valkey) -> None:
    """Regression: a request was refused while another thread held unused tokens."""
    leases: throttling._Leases

    class TakesAll(Connection):
        def run(self, script: Script, keys: tuple[str, ...], *arguments: str | float) -> Any:
            answer = super().run(script, keys, *arguments)
            if not answer[0]:  # as if another thread got tokens now
                leases._leases["key"] = throttling._Lease(2, 0.0, time.monotonic())
            return answer

    leases = throttling._Leases(TakesAll(own_valkey.url()))
    assert [leases.take("key", burst=1, rate=0.001)[0] for _ in range(3)] == [True, True, True]


def test_one_request_probes_valkey_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    breaker = throttling._Breaker()
    breaker.trip(redis.ConnectionError("gone"))
    assert not breaker.lets_through()
    monkeypatch.setattr(breaker, "_ask_again_at", 1e-9)
    assert [breaker.lets_through() for _ in range(3)] == [True, False, False]
    breaker.reset()
    assert [breaker.lets_through() for _ in range(3)] == [True, True, True]


def test_submit_without_the_database_can_be_retried(tmp_path: Path) -> None:
    client = ApiClient()
    assert client.submit().status_code == 201
    with no_database(tmp_path):
        answer = client.submit("key-1")
    assert (answer.status_code, body_of(answer)["code"]) == (503, "temporarily_unavailable")
    assert answer["Retry-After"] == "1"
    assert answer["Content-Type"] == "application/problem+json"
    assert Event.objects.count() == 2
    assert client.submit("key-1").status_code == 201


def test_api_keys_work_for_half_a_minute_without_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is revoked during an outage must stop working before its end."""
    client = ApiClient()
    assert client.get(f"{PAYMENTS}?limit=0").status_code == 400
    with no_database(tmp_path):
        monkeypatch.setattr(keyring, "_read_at", time.monotonic() - 29)
        assert client.get(f"{PAYMENTS}?limit=0").status_code == 400  # not a 401: the key works
        monkeypatch.setattr(keyring, "_read_at", time.monotonic() - 31)
        answer = client.get(f"{PAYMENTS}?limit=0")
        assert (answer.status_code, body_of(answer)["code"]) == (503, "temporarily_unavailable")
    assert client.get(f"{PAYMENTS}?limit=0").status_code == 400
    assert keyring.find(client.token, at=timezone.now() + timedelta(days=1)) is not None


def test_probes_without_the_database_report_alive_and_not_ready(tmp_path: Path) -> None:
    assert Browser().get("/readyz").status_code == 200
    with no_database(tmp_path):
        alive, ready = Browser().get("/healthz"), Browser().get("/readyz")
    assert alive.status_code == 200
    assert ready.status_code == 503
    assert body_of(ready) | {"log": "ok", "seals": "ok"} == {
        "log": "ok",
        "seals": "ok",
        "ready": False,
        "degraded": False,
        "database": "away",
        "broker": "ok",
        "projections": {},
    }


@pytest.mark.parametrize("fault", ["stop", "freeze"])
def test_readyz_without_the_broker_is_degraded(
    own_valkey: Valkey, settings: Settings, fault: str
) -> None:
    settings.REDIS_URL = own_valkey.url()
    getattr(own_valkey, fault)()

    answer = Browser().get("/readyz")

    assert (answer.status_code, body_of(answer)["broker"]) == (200, "away")
    assert body_of(answer)["degraded"] is True
