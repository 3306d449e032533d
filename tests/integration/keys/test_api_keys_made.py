"""API keys are created, shown once, listed, rotated and revoked."""

import json
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError
from django.urls import reverse
from django.utils import timezone

from payments.clients import keys
from payments.clients.keyring import digest, keyring
from payments.clients.keys import KeyRefused
from payments.clients.models import ApiKey, Client, Scope
from tests.support.api import PAYMENTS, ApiClient, reviewer
from tests.support.backoffice import browser, text
from tests.support.commands import run
from tests.support.concurrency import at_once
from tests.support.examples import OPERATOR

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_new_key_is_accepted() -> None:
    text, output = run("create_api_key", "Acme Ltd")
    assert "payments:write" in output
    assert text not in output
    keyring.forget()
    key = keyring.find(text, at=timezone.now())
    assert key is not None
    assert key.scopes == {Scope.PAYMENTS_WRITE, Scope.PAYMENTS_READ, Scope.STATISTICS_READ}
    assert Client.objects.get().name == "Acme Ltd"


def test_key_has_its_own_secret_prefix() -> None:
    acme = ApiClient()
    assert re.fullmatch(r"sk_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", acme.token)
    assert acme.token.startswith(f"{acme.key.prefix}_")


def test_key_with_an_older_prefix_works() -> None:
    acme = ApiClient()
    acme.key.prefix, acme.token = "pk_1a2b3c4d", "pk_1a2b3c4d_secret"
    acme.key.digest = digest(acme.token)
    acme.key.save()
    keyring.forget()

    assert acme.get(PAYMENTS).status_code == 200


def test_key_is_stored_only_as_a_digest() -> None:
    client = ApiClient()
    stored = str(list(ApiKey.objects.values()))
    assert client.token.removeprefix(client.key.prefix) not in stored


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["Acme", "--scope", "reviews:write"], "acts as a member of staff"),
        (["Acme", "--scope", "policies:read"], "acts as a member of staff"),
        (["Acme", "--scope", "reviews:write", "--staff", "nobody"], "no staff member 'nobody'"),
        (["Acme", "--expires-in-days", "0"], "from 1 to 3650"),
        ([" "], "client: The text must not be empty"),
        (["x" * 201], "client: The text must have at most 200"),
    ],
)
def test_invalid_key_options_are_refused_in_one_line(arguments: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        run("create_api_key", *arguments)
    assert (ApiKey.objects.count(), Client.objects.count()) == (0, 0)


def test_key_for_reviews_needs_a_person_in_the_database_too() -> None:
    from django.db import IntegrityError

    client = Client.objects.create(name="Acme")
    with pytest.raises(IntegrityError):
        keys.create(client, [Scope.REVIEWS_WRITE], by=OPERATOR)
    keys.create(client, [Scope.REVIEWS_WRITE], staff_id=reviewer().pk, by=OPERATOR)


def test_rotated_key_works_alongside_the_old_one() -> None:
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


def test_rotated_key_has_the_lifetime_of_the_old_key() -> None:
    """With the old key's expiry date, the new key would expire almost at once."""
    old_text, _ = run("create_api_key", "Acme", "--expires-in-days", "90")
    ApiKey.objects.update(
        created_at=timezone.now() - timedelta(days=89),
        expires_at=timezone.now() + timedelta(days=1),
    )
    old = ApiKey.objects.get()
    text, output = run("rotate_api_key", old.prefix, "--grace-hours", "0")
    assert f"Store the new key {text.rpartition('_')[0][:11]}" in output
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


def test_rotate_refuses_a_key_that_ended_in_the_meantime() -> None:
    """`rotate` reads the key again. Otherwise it could create a live key from a revoked one."""
    now, day = timezone.now(), timedelta(days=1)
    leaked, short = ApiClient().key, ApiClient().key
    keys.revoke(leaked, at=now, by=OPERATOR)
    ApiKey.objects.filter(pk=short.pk).update(expires_at=now - day)
    with pytest.raises(KeyRefused, match=f"{leaked} was revoked {now:%Y-%m-%d %H:%M} UTC"):
        rotate(leaked)
    with pytest.raises(KeyRefused, match=f"{short} expired {now - day:%Y-%m-%d %H:%M} UTC"):
        rotate(short)

    assert ApiKey.objects.count() == 2


def test_at_most_two_keys_of_a_rotation_chain_are_live() -> None:
    first = ApiClient().key
    second = rotate(first)
    assert second.rotated_from == first
    with pytest.raises(KeyRefused, match=f"{first} is already replaced by {second}"):
        rotate(first)
    until = f"{ApiKey.objects.get(pk=first.pk).expires_at:%Y-%m-%d %H:%M} UTC"
    with pytest.raises(KeyRefused, match=f"revoke {first}, or wait until {until}"):
        rotate(second)
    with pytest.raises(CommandError, match=f"{second} replaces {first}, which is still live"):
        run("rotate_api_key", second.prefix)
    assert ApiKey.objects.count() == 2
    # The case that the successor's text was lost: revoke it and rotate again.
    keys.revoke(second, at=timezone.now(), by=OPERATOR)
    third = rotate(first)
    assert third.expires_at is None  # as the first key before its rotation
    keys.revoke(first, at=timezone.now(), by=OPERATOR)
    assert rotate(rotate(third, hours=0)).rotated_from != third


def test_concurrent_rotations_of_a_key_succeed_once() -> None:
    key = ApiClient().key

    def attempt(_: int) -> int:
        try:
            rotate(key)
        except KeyRefused:
            return 0
        return 1

    assert sum(at_once(6, attempt)) == 1


def test_list_shows_no_secrets() -> None:
    client = ApiClient("Acme")
    output, _ = run("list_api_keys")
    assert client.key.prefix in output
    assert client.token not in output
    run("revoke_api_key", client.key.prefix)
    assert "revoked" in run("list_api_keys", "--client", "Acme")[0]
    with pytest.raises(CommandError, match="There is no client 'Acne'"):
        run("list_api_keys", "--client", "Acne")
    # The scopes are not cut, although a revoked key's state takes more room.
    (listed,) = json.loads(run("list_api_keys", "--json")[0])
    assert listed["scopes"] == client.key.scopes
    assert " ".join(client.key.scopes) in run("list_api_keys")[0]
    assert (listed["prefix"], listed["client"]) == (client.key.prefix, "Acme")
    assert listed["state"].startswith("revoked")
    assert client.token not in str(listed)
    with pytest.raises(CommandError, match="already revoked|was revoked"):
        run("revoke_api_key", client.key.prefix)
    with pytest.raises(CommandError, match="already revoked|was revoked"):
        run("rotate_api_key", client.key.prefix)
    with pytest.raises(CommandError, match="There is no key 'pk_nothing'"):
        run("rotate_api_key", "pk_nothing")
    with pytest.raises(CommandError, match="There is no key 'pk_nothing'"):
        run("revoke_api_key", "pk_nothing")


def test_risk_manager_revokes_a_key_in_the_back_office() -> None:
    client = ApiClient()
    assert client.get(PAYMENTS).status_code == 200
    page = reverse("admin:clients_client_change", args=[client.client_id])
    revoke = reverse("admin:key_revoke", args=[client.key.pk])
    senior, manager = browser("senior reviewer", "sue"), browser("risk manager", "mia")
    assert "Revoke" not in text(senior.get(page))
    assert senior.get(revoke).status_code == senior.post(revoke).status_code == 403
    assert "Revoke…" in text(manager.get(page))
    assert f"requests with the key {client.key.prefix} of Acme are refused" in text(
        manager.get(revoke)
    )
    assert ApiKey.objects.get().revoked_at is None
    assert "is revoked" in text(manager.post(revoke, follow=True))
    at = ApiKey.objects.get().revoked_at
    keyring.forget()
    assert client.get(PAYMENTS).status_code == 401
    manager.post(revoke)
    assert ApiKey.objects.get().revoked_at == at
    assert "Revoke…" not in text(manager.get(page))
    assert manager.post(reverse("admin:key_revoke", args=[uuid4()])).status_code == 404
