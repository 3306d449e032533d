"""API keys: made, shown once, recognised without a round trip, limited, rotated, revoked, throttled."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from config.stack import place
from payments.clients import keys
from payments.clients.keyring import Keyring, keyring
from payments.clients.keys import KeyRefused
from payments.clients.models import ApiKey, Client, Scope
from tests.api import PAYMENTS, ApiClient, body_of, reviewer
from tests.backoffice import browser, text
from tests.concurrency import at_once
from tests.examples import OPERATOR
from tests.roundtrips import round_trips

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def run(command: str, *arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(command, *arguments, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue().strip()


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer pk_nonsense", "Basic YTpi", "pk_x"])
def test_without_a_live_key_nothing_is_answered(header: str) -> None:
    answer = ApiClient().get(PAYMENTS, Authorization=header)
    assert (answer.status_code, body_of(answer)["code"]) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="payments"'


def test_recognising_a_key_costs_no_round_trip() -> None:
    client = ApiClient()
    client.get("/api/v1/nothing")
    keyring.find(client.token, at=timezone.now())
    with round_trips() as counted:
        assert keyring.find(client.token, at=timezone.now()) is not None
    assert counted.count == 0


def test_a_key_is_stored_as_its_digest_only() -> None:
    client = ApiClient()
    stored = str(list(ApiKey.objects.values()))
    assert client.token.rpartition("_")[2] not in stored


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        (Scope.PAYMENTS_READ, "POST", PAYMENTS),
        (Scope.PAYMENTS_WRITE, "GET", PAYMENTS),
        (Scope.REVIEWS_WRITE, "GET", "/api/v1/projections"),
        (Scope.PAYMENTS_READ, "GET", "/api/v1/statistics/daily?date=2026-01-01"),
        (Scope.STATISTICS_READ, "GET", f"{PAYMENTS}/00000000-0000-0000-0000-000000000000"),
    ],
)
def test_a_key_does_what_its_scopes_say_and_nothing_else(
    scope: Scope, method: str, path: str
) -> None:
    answer = ApiClient(scopes=[scope]).send(method, path)
    assert (answer.status_code, body_of(answer)["code"]) == (403, "permission_denied")


def test_the_headers_of_an_answer_need_its_scope_too() -> None:
    """HEAD had no scope of its own, so any key could have learned versions and lengths."""
    payment = ApiClient().submit()["Location"]
    assert ApiClient(scopes=[Scope.PAYMENTS_WRITE]).send("HEAD", payment).status_code == 403
    assert ApiClient(scopes=[Scope.PAYMENTS_READ]).send("HEAD", payment)["ETag"] == '"2"'


def test_an_expired_key_is_dead() -> None:
    client = ApiClient()
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    keyring.forget()
    assert client.get(PAYMENTS).status_code == 401


def test_a_revoked_key_is_dead_within_three_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ApiClient()
    assert client.get(PAYMENTS).status_code == 200
    run("revoke_api_key", client.key.prefix)
    # As if two seconds had passed, which is how long a process remembers.
    monkeypatch.setattr(keyring, "_read_at", keyring._read_at - 2)
    assert client.get(PAYMENTS).status_code == 401


def last_used(client: ApiClient) -> datetime | None:
    return ApiKey.objects.get(pk=client.key.pk).last_used_at


def until_written(client: ApiClient, at: datetime) -> None:
    for _ in range(200):
        if last_used(client) == at:
            return
        time.sleep(0.02)
    raise AssertionError(f"{last_used(client)} is not {at}.")


@pytest.fixture
def quick_ring(settings: Settings) -> Iterator[Keyring]:
    settings.API_KEY_USES_SECONDS = 0.05
    ring = Keyring()
    yield ring
    ring.end()


def test_the_last_use_of_a_quiet_key_is_written_without_another_request(
    quick_ring: Keyring,
) -> None:
    """It was written by a later request of the same process, which may never come."""
    acme, bolt, now = ApiClient(), ApiClient("Bolt"), timezone.now()
    quick_ring.find(acme.token, at=now)
    until_written(acme, now)
    assert last_used(bolt) is None
    for number in range(5):
        later = now + timedelta(seconds=number + 1)
        with round_trips() as counted:
            for client in (acme, bolt):
                quick_ring.find(client.token, at=later)
        assert counted.count == 0
        until_written(acme, later)
        until_written(bolt, later)


@pytest.mark.parametrize("broken_statement", ["SELECT %s::text, %s::text, 1 / 0", object()])
def test_a_use_that_could_not_be_written_is_written_later(
    quick_ring: Keyring,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken_statement: object,
) -> None:
    acme, now = ApiClient(), timezone.now()
    with monkeypatch.context() as broken:
        broken.setattr("payments.clients.keyring._USED", broken_statement)
        quick_ring.find(acme.token, at=now)
        quick_ring.find(acme.token, at=now)
        for _ in range(200):
            if "were not written" in caplog.text:
                break
            time.sleep(0.02)
    until_written(acme, now)


def test_a_use_is_written_at_the_end_of_the_process() -> None:
    """In one that ends by itself, and in one that multiprocessing forked, as a web server's may be."""
    one, other, now = ApiClient(), ApiClient(), timezone.now()
    program = """
import multiprocessing, sys
from datetime import datetime
import django
django.setup()
from django.conf import settings
from django.db import connection
from payments.clients.keyring import keyring
settings.API_KEY_USES_SECONDS = 3600
def use(text):
    keyring.forget()
    assert keyring.find(text, at=datetime.fromisoformat(sys.argv[3]))
use(sys.argv[1])
connection.close()  # the child would share it
child = multiprocessing.get_context("fork").Process(target=use, args=(sys.argv[2],))
child.start()
child.join()
"""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    environment["TEST_DATABASE_NAME"] = connection.settings_dict["NAME"]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, one.token, other.token, now.isoformat()],
        env=environment,
        cwd=place.PROJECT,
        check=True,
        timeout=60,
    )
    assert (last_used(one), last_used(other)) == (now, now)


def test_a_made_key_works() -> None:
    text, said = run("create_api_key", "Acme Ltd")
    assert "payments:write" in said
    assert text not in said
    keyring.forget()
    key = keyring.find(text, at=timezone.now())
    assert key is not None
    assert key.scopes == {Scope.PAYMENTS_WRITE, Scope.PAYMENTS_READ, Scope.STATISTICS_READ}
    assert Client.objects.get().name == "Acme Ltd"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["Acme", "--scope", "reviews:write"], "belongs to somebody"),
        (["Acme", "--scope", "reviews:write", "--staff", "nobody"], "no staff member 'nobody'"),
        (["Acme", "--expires-in-days", "0"], "from 1 to 3650"),
        ([" "], "client: The text must not be empty"),
        (["x" * 201], "client: The text must have at most 200"),
    ],
)
def test_an_impossible_key_is_refused_in_one_line(arguments: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        run("create_api_key", *arguments)
    assert (ApiKey.objects.count(), Client.objects.count()) == (0, 0)


def test_a_new_key_works_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was refused for two seconds, which is when whoever made it tries it."""
    client = ApiClient()
    assert client.get(PAYMENTS).status_code == 200
    monkeypatch.setattr(keyring, "_looked_again_at", float("-inf"))
    text, _ = run("create_api_key", "Acme")
    assert client.get(PAYMENTS, Authorization=f"Bearer {text}").status_code == 200


def test_guessed_keys_cost_a_round_trip_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ApiClient()
    client.get(PAYMENTS)
    monkeypatch.setattr(keyring, "_looked_again_at", float("-inf"))
    with round_trips() as counted:
        for number in range(20):
            assert keyring.find(f"pk_{number}", at=timezone.now()) is None
    assert counted.count <= 2  # one to prepare


def test_a_rotated_key_works_beside_the_old_one_for_a_while() -> None:
    client = ApiClient()
    text, _ = run("rotate_api_key", client.key.prefix)
    keyring.forget()
    now = timezone.now()
    new, old = keyring.find(text, at=now), keyring.find(client.token, at=now)
    assert new is not None
    assert old is not None
    assert new.scopes == old.scopes
    assert keyring.find(client.token, at=now + timedelta(hours=25)) is None
    assert keyring.find(text, at=now + timedelta(hours=25)) is not None


def test_a_rotated_key_lives_as_long_as_the_old_one_did() -> None:
    """With the old one's last day it would have been born almost dead."""
    old_text, _ = run("create_api_key", "Acme", "--expires-in-days", "90")
    ApiKey.objects.update(
        created_at=timezone.now() - timedelta(days=89),
        expires_at=timezone.now() + timedelta(days=1),
    )
    old = ApiKey.objects.get()
    text, said = run("rotate_api_key", old.prefix, "--grace-hours", "0")
    assert f"Keep the new key {text.rpartition('_')[0][:11]}" in said
    new = ApiKey.objects.exclude(pk=old.pk).get()
    assert new.expires_at is not None
    assert new.expires_at - timezone.now() > timedelta(days=89)
    keyring.forget()
    assert keyring.find(old_text, at=timezone.now()) is None
    with pytest.raises(CommandError, match="expired"):
        run("rotate_api_key", old.prefix)


def rotate(key: ApiKey, *, hours: int = 24) -> ApiKey:
    now = timezone.now()
    return keys.rotate(key, at=now, old_until=now + timedelta(hours=hours), by=OPERATOR)[0]


def test_a_key_that_was_revoked_or_has_expired_since_it_was_looked_at_is_not_rotated() -> None:
    """`rotate` believed what its caller had read, and made a live key of a leaked one."""
    now, day = timezone.now(), timedelta(days=1)
    leaked, short = ApiClient().key, ApiClient().key
    keys.revoke(leaked, at=now, by=OPERATOR)
    ApiKey.objects.filter(pk=short.pk).update(expires_at=now - day)
    with pytest.raises(KeyRefused, match=f"{leaked} was revoked {now:%Y-%m-%d %H:%M} UTC"):
        rotate(leaked)
    with pytest.raises(KeyRefused, match=f"{short} expired {now - day:%Y-%m-%d %H:%M} UTC"):
        rotate(short)
    assert ApiKey.objects.count() == 2


def test_of_a_key_and_its_successors_two_live_at_most() -> None:
    first = ApiClient().key
    second = rotate(first)
    assert second.rotated_from == first
    with pytest.raises(KeyRefused, match=f"{first} is replaced by {second} already"):
        rotate(first)
    until = f"{ApiKey.objects.get(pk=first.pk).expires_at:%Y-%m-%d %H:%M} UTC"
    with pytest.raises(KeyRefused, match=f"revoke {first}, or wait until {until}"):
        rotate(second)
    with pytest.raises(CommandError, match=f"{second} replaces {first}, which still works"):
        run("rotate_api_key", second.prefix)
    assert ApiKey.objects.count() == 2
    # The successor's text was lost.
    keys.revoke(second, at=timezone.now(), by=OPERATOR)
    third = rotate(first)
    assert third.expires_at is None  # as the first was before it was rotated
    keys.revoke(first, at=timezone.now(), by=OPERATOR)
    assert rotate(rotate(third, hours=0)).rotated_from != third


def test_of_those_who_rotate_a_key_at_once_one_gets_another() -> None:
    key = ApiClient().key

    def attempt(_: int) -> int:
        try:
            rotate(key)
        except KeyRefused:
            return 0
        return 1

    assert sum(at_once(6, attempt)) == 1


def test_a_key_of_somebody_who_has_left_is_dead() -> None:
    client = ApiClient()
    assert client.get(PAYMENTS).status_code == 200
    get_user_model().objects.update(is_active=False)
    keyring.forget()
    assert client.get(PAYMENTS).status_code == 401


def test_keys_are_read_once_in_two_seconds_however_many_ask() -> None:
    client = ApiClient()
    keyring.find(client.token, at=timezone.now())
    read_at = keyring._read_at
    found = at_once(8, lambda _: keyring.find(client.token, at=timezone.now()))
    assert None not in found
    assert keyring._read_at == read_at


def test_the_list_shows_no_secrets() -> None:
    client = ApiClient("Acme")
    said, _ = run("list_api_keys")
    assert client.key.prefix in said
    assert client.token not in said
    run("revoke_api_key", client.key.prefix)
    assert "revoked" in run("list_api_keys", "--client", "Acme")[0]
    with pytest.raises(CommandError, match="There is no client 'Acne'"):
        run("list_api_keys", "--client", "Acne")
    with pytest.raises(CommandError, match="was revoked"):
        run("revoke_api_key", client.key.prefix)
    with pytest.raises(CommandError, match="was revoked"):
        run("rotate_api_key", client.key.prefix)
    with pytest.raises(CommandError, match="There is no key 'pk_nothing'"):
        run("rotate_api_key", "pk_nothing")
    with pytest.raises(CommandError, match="There is no key 'pk_nothing'"):
        run("revoke_api_key", "pk_nothing")


def test_a_key_for_reviews_needs_a_person_in_the_database_too() -> None:
    from django.db import IntegrityError

    client = Client.objects.create(name="Acme")
    with pytest.raises(IntegrityError):
        keys.create(client, [Scope.REVIEWS_WRITE], by=OPERATOR)
    keys.create(client, [Scope.REVIEWS_WRITE], staff_id=reviewer().pk, by=OPERATOR)


def test_a_risk_manager_ends_a_leaked_key_in_the_back_office() -> None:
    client = ApiClient()
    assert client.get(PAYMENTS).status_code == 200
    page = reverse("admin:clients_client_change", args=[client.client_id])
    revoke = reverse("admin:key_revoke", args=[client.key.pk])
    senior, manager = browser("senior reviewer", "sue"), browser("risk manager", "mia")
    assert "Revoke" not in text(senior.get(page))
    assert senior.get(revoke).status_code == senior.post(revoke).status_code == 403
    assert "Revoke…" in text(manager.get(page))
    assert f"The key {client.key.prefix} of Acme ends" in text(manager.get(revoke))
    assert ApiKey.objects.get().revoked_at is None
    assert "ends within three seconds" in text(manager.post(revoke, follow=True))
    at = ApiKey.objects.get().revoked_at
    keyring.forget()
    assert client.get(PAYMENTS).status_code == 401
    manager.post(revoke)
    assert ApiKey.objects.get().revoked_at == at
    assert "Revoke…" not in text(manager.get(page))
    assert manager.post(reverse("admin:key_revoke", args=[uuid4()])).status_code == 404


def test_the_rate_is_exact_whoever_asks_at_once(settings: Settings) -> None:
    """With a bucket that is read and then written, several more than ten got through."""
    settings.API_RATE_PER_MINUTE = 10
    client = ApiClient()
    statuses = at_once(16, lambda _: client.get("/api/v1/projections").status_code)
    assert sorted(statuses) == [200] * 10 + [429] * 6
    answer = client.get("/api/v1/projections")
    assert body_of(answer)["code"] == "throttled"
    assert 1 <= int(answer["Retry-After"]) <= 6
    assert ApiClient("Bolt").get("/api/v1/projections").status_code == 200


def test_every_answer_tells_what_is_left_of_the_rate(settings: Settings) -> None:
    settings.API_RATE_PER_MINUTE = 4
    client = ApiClient()
    told = []
    for path in (PAYMENTS, f"{PAYMENTS}?limit=0", f"{PAYMENTS}/{client.client_id}", PAYMENTS):
        answer = client.get(path)
        assert answer["RateLimit-Policy"] == '"key";q=4;w=60'
        told.append(answer["RateLimit"])
    assert told == [f'"key";r={left};t=15' for left in (3, 2, 1, 0)]
    refused = client.get(PAYMENTS)
    assert refused.status_code == 429
    assert refused["RateLimit"] == f'"key";r=0;t={refused["Retry-After"]}'
    assert "RateLimit" not in client.get(PAYMENTS, Authorization="")


def test_what_is_refused_counts_too(settings: Settings) -> None:
    """Asked for after the scope and the representation, these were free for whoever has any key."""
    settings.API_RATE_PER_MINUTE = 5
    client = ApiClient(scopes=[Scope.STATISTICS_READ])
    refused = [
        client.get(PAYMENTS),  # without the scope
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


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/v1/payments/", 404, "not_found"),
        ("GET", "/api/v1/payments/5", 404, "not_found"),
        ("DELETE", PAYMENTS, 405, "method_not_allowed"),
        ("PUT", PAYMENTS, 405, "method_not_allowed"),
        ("OPTIONS", PAYMENTS, 405, "method_not_allowed"),
        ("PATCH", "/api/nothing", 404, "not_found"),
    ],
)
def test_the_frameworks_own_refusals_are_problems_too(
    method: str, path: str, status: int, code: str
) -> None:
    answer = ApiClient().send(method, path)
    assert (answer.status_code, body_of(answer)["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"


def test_what_nobody_foresaw_stays_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the password is hunter2")

    client = ApiClient()
    monkeypatch.setattr("payments.intake.submit", fail)
    answer = client.submit()
    assert (answer.status_code, body_of(answer)["code"]) == (500, "internal_error")
    assert b"hunter2" not in answer.content


@pytest.mark.parametrize("debug", [False, True])
def test_a_host_that_is_not_ours_is_a_problem_too(settings: Settings, *, debug: bool) -> None:
    """With DEBUG it was a page of 78 KB with the settings."""
    settings.DEBUG = debug
    answer = ApiClient().get(PAYMENTS, Host="evil.example")
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.status_code, body_of(answer)["code"]) == (400, "invalid_request")
