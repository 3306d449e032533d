"""API keys are found without a round trip, limited to their scopes, and refused once they end."""

import time
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from payments.clients.keyring import keyring
from payments.clients.models import ApiKey, Scope
from tests.support.api import PAYMENTS, ApiClient, body_of
from tests.support.commands import run
from tests.support.concurrency import at_once
from tests.support.roundtrips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer pk_nonsense", "Basic YTpi", "pk_x"])
def test_request_without_a_live_key_is_refused(header: str) -> None:
    answer = ApiClient().get(PAYMENTS, Authorization=header)
    assert (answer.status_code, body_of(answer)["code"]) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="payments"'


def test_recognizing_a_key_costs_no_round_trip() -> None:
    client = ApiClient()
    client.get("/api/v1/nothing")
    keyring.find(client.token, at=timezone.now())
    with round_trips() as counted:
        assert keyring.find(client.token, at=timezone.now()) is not None
    assert counted.count == 0


def test_keys_are_read_once_in_two_seconds() -> None:
    client = ApiClient()
    keyring.find(client.token, at=timezone.now())
    read_at = keyring._read_at

    found = at_once(8, lambda _: keyring.find(client.token, at=timezone.now()))

    assert None not in found
    assert keyring._read_at == read_at


def test_guessed_keys_cost_a_hundred_round_trips_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ApiClient()
    client.get(PAYMENTS)
    monkeypatch.setattr(keyring, "_lookups_since", time.monotonic() + 60)  # within one second
    monkeypatch.setattr(keyring, "_lookups", 0)
    with round_trips() as counted:
        for number in range(300):
            assert keyring.find(f"pk_{number}", at=timezone.now()) is None
    assert counted.count <= 102  # includes preparing the statements and reading the keys


def test_new_key_works_at_once_while_unknown_keys_are_tried() -> None:
    """A new key must work although unknown keys have used up the lookups."""
    client = ApiClient()
    assert client.get(PAYMENTS).status_code == 200
    for number in range(20):
        assert client.get(PAYMENTS, Authorization=f"Bearer pk_{number}").status_code == 401
    text, _ = run("create_api_key", "Acme")
    assert client.get(PAYMENTS, Authorization=f"Bearer {text}").status_code == 200


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
def test_key_is_limited_to_its_scopes(scope: Scope, method: str, path: str) -> None:
    answer = ApiClient(scopes=[scope]).send(method, path)
    assert (answer.status_code, body_of(answer)["code"]) == (403, "permission_denied")


def test_head_needs_the_scope_of_get() -> None:
    """HEAD would otherwise reveal versions and lengths to any key."""
    payment = ApiClient().submit()["Location"]
    assert ApiClient(scopes=[Scope.PAYMENTS_WRITE]).send("HEAD", payment).status_code == 403
    assert ApiClient(scopes=[Scope.PAYMENTS_READ]).send("HEAD", payment)["ETag"] == '"2"'


def test_expired_key_is_refused() -> None:
    client = ApiClient()
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    keyring.forget()
    assert client.get(PAYMENTS).status_code == 401


def test_revoked_key_is_refused_within_three_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ApiClient()
    assert client.get(PAYMENTS).status_code == 200
    run("revoke_api_key", client.key.prefix)
    # After two seconds, the process's copy of the keys has expired.
    monkeypatch.setattr(keyring, "_read_at", keyring._read_at - 2)
    assert client.get(PAYMENTS).status_code == 401


@pytest.mark.parametrize("field", ["is_active", "is_staff"])
def test_key_of_a_former_staff_member_is_refused(field: str) -> None:
    """The key of a person who is no longer staff must not read."""
    client = ApiClient()
    assert client.get(PAYMENTS).status_code == 200
    get_user_model().objects.update(**{field: False})
    keyring.forget()
    assert client.get(PAYMENTS).status_code == 401
