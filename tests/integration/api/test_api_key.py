"""A client reads the properties of its own API key."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments.clients import keys
from payments.clients.models import Scope
from payments.domain.text import rfc3339
from tests.support.api import ApiClient, body_of
from tests.support.examples import OPERATOR

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "/api/v1/key"


@pytest.mark.parametrize("scope", Scope.values)
def test_key_shows_its_client_and_scopes_for_any_scope(scope: str) -> None:
    acme = ApiClient("Acme", scopes=[scope])

    answer = acme.get(KEY)

    shown = body_of(answer)
    assert answer.status_code == 200
    assert shown["client"] == {"id": str(acme.client_id), "name": "Acme"}
    assert (shown["prefix"], shown["scopes"]) == (acme.key.prefix, [scope])
    assert shown["reviewer"] == (f"staff:{acme.staff_id}" if acme.staff_id else None)
    assert (shown["created_at"], shown["expires_at"]) == (rfc3339(acme.key.created_at), None)
    assert acme.token not in answer.content.decode()


def test_key_shows_its_expiry_after_rotation() -> None:
    acme = ApiClient("Acme")
    until = timezone.now() + timedelta(hours=1)
    keys.rotate(acme.key, at=timezone.now(), old_until=until, by=OPERATOR)

    shown = body_of(acme.get(KEY))

    assert shown["expires_at"] == rfc3339(until)


def test_key_shows_limits_and_decimals_that_submissions_follow() -> None:
    acme = ApiClient("Acme")

    shown = body_of(acme.get(KEY))

    decimals = {each["code"]: each["decimals"] for each in shown["currencies"]}
    assert (decimals["EUR"], decimals["JPY"], decimals["IQD"]) == (2, 0, 3)
    assert "BGN" not in decimals  # the euro has replaced the lev
    assert shown["rate_limit"]["seconds"] == 60
    limit = next(each for each in shown["limits"] if each["method"] == "wallet")
    terms = {"method": "wallet", "currency": limit["currency"]}
    most = acme.submit(amount=limit["amount"], **terms)
    more = acme.submit(amount=limit["amount"] + 1, **terms)
    assert body_of(most)["failure_reason"] is None
    assert body_of(more)["failure_reason"] == "method_limit_exceeded"
