"""API keys are created, rotated and revoked in the back office, and each change is recorded."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from payments import actors, permissions
from payments.clients import keys
from payments.clients.models import ApiKey, Client, Scope
from readmodels.roles import ROLES
from tests.support.api import PAYMENTS, ApiClient
from tests.support.backoffice import browser, text
from tests.support.examples import OPERATOR

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme", scopes=[Scope.PAYMENTS_READ])


def create(logged_in: Browser, client: Client, **changes: Any) -> Any:
    form = {"id": str(uuid4()), "label": "", "scopes": ["payments:read"], "days": ""} | changes
    return logged_in.post(reverse("admin:key_create", args=[client.pk]), form)


def button(command: str, key: ApiKey) -> str:
    return reverse(f"admin:key_{command}", args=[key.pk])


def shown_key(answer: Any) -> str:
    """Return the key on the page that shows it."""
    found = re.search(r"sk_[0-9a-f]{8}_[\w-]+", answer.content.decode())
    assert found, text(answer)
    return found[0]


def recorded() -> list[tuple[str, str]]:
    return list(LogEntry.objects.order_by("pk").values_list("object_repr", "change_message"))


def test_created_key_is_shown_once_and_works(acme: ApiClient) -> None:
    logged_in = browser("risk manager")

    answer = create(logged_in, acme.client, label="web shop", days="30")

    made = ApiKey.objects.exclude(pk=acme.key.pk).get()
    acme.token = shown_key(answer)
    assert acme.get(PAYMENTS).status_code == 200
    assert (made.label, made.scopes, made.staff_id) == ("web shop", ["payments:read"], None)
    assert made.expires_at is not None
    assert abs(made.expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=5)
    page = logged_in.get(reverse("admin:clients_client_change", args=[acme.client_id]))
    assert "web shop" in text(page)
    assert acme.token not in page.content.decode()
    assert recorded() == [(made.prefix, "Created with payments:read")]
    assert "no-store" in answer["Cache-Control"]


def test_create_form_sent_again_creates_no_second_key(acme: ApiClient) -> None:
    """A reload of the page with the key sends the form again."""
    logged_in, form = browser("risk manager"), {"id": str(uuid4())}
    create(logged_in, acme.client, **form)

    again = create(logged_in, acme.client, **form)

    assert "This form has created sk_" in text(again)
    assert ApiKey.objects.exclude(pk=acme.key.pk).count() == 1


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"scopes": []}, "This field is required"),
        ({"scopes": ["everything"]}, "everything is not one of the available choices"),
        ({"days": "0"}, "greater than or equal to 1"),
        ({"days": "3651"}, "less than or equal to 3650"),
        ({"label": "4111 1111 1111 1111"}, "card number"),
        ({"label": "x" * 101}, "100"),
    ],
)
def test_wrong_key_is_refused(acme: ApiClient, changes: dict[str, Any], refused: str) -> None:
    answer = create(browser("risk manager"), acme.client, **changes)

    assert refused in text(answer)
    assert ApiKey.objects.get() == acme.key


def test_key_that_decides_belongs_to_the_person_who_creates_it(acme: ApiClient) -> None:
    answer = create(
        browser("risk manager", "dora"), acme.client, scopes=["reviews:write", "payments:read"]
    )

    shown_key(answer)
    made = ApiKey.objects.exclude(pk=acme.key.pk).get()
    assert made.staff is not None
    assert made.staff.get_username() == "dora"


def test_nobody_creates_or_rotates_a_key_that_decides_as_another_person() -> None:
    """With keys of two reviewers, one person could give both approvals that a payment needs."""
    bolt = ApiClient("Bolt", staff="ada")
    logged_in = browser("risk manager", "dora")
    dora = actors.staff(get_user_model().objects.get(username="dora").pk)

    answer = logged_in.post(button("rotate", bolt.key), {"hours": "1"})

    assert answer.status_code == 403
    with pytest.raises(permissions.NotPermitted, match="Only this person"):
        keys.create(bolt.client, [Scope.REVIEWS_WRITE], staff_id=bolt.staff_id, by=dora)
    assert ApiKey.objects.get() == bolt.key


def test_rotated_key_works_until_the_chosen_time(acme: ApiClient) -> None:
    logged_in = browser("risk manager")

    answer = logged_in.post(button("rotate", acme.key), {"hours": "2"})

    new = ApiKey.objects.get(rotated_from=acme.key)
    assert acme.get(PAYMENTS).status_code == 200
    acme.token = shown_key(answer)
    assert acme.get(PAYMENTS).status_code == 200
    acme.key.refresh_from_db()
    assert acme.key.expires_at is not None
    assert acme.key.expires_at - timezone.now() < timedelta(hours=2)
    assert recorded() == [(acme.key.prefix, f"Replaced by {new.prefix}")]


def test_third_key_of_a_rotation_is_refused(acme: ApiClient) -> None:
    logged_in = browser("risk manager")
    logged_in.post(button("rotate", acme.key), {"hours": "2"})

    again = logged_in.post(button("rotate", acme.key), {"hours": "2"})

    assert "is already replaced by sk_" in text(again)
    assert ApiKey.objects.count() == 2


def test_revocation_is_recorded(acme: ApiClient) -> None:
    browser("risk manager").post(button("revoke", acme.key))

    assert recorded() == [(acme.key.prefix, "Revoked")]


@pytest.mark.parametrize("role", ROLES)
def test_only_those_who_manage_keys_reach_the_forms(acme: ApiClient, role: str) -> None:
    logged_in = browser(role)
    may = role == "risk manager"

    addresses = [
        reverse("admin:key_create", args=[acme.client_id]),
        *(button(command, acme.key) for command in ("rotate", "revoke")),
    ]

    assert [logged_in.get(each).status_code for each in addresses] == [200 if may else 403] * 3
    page = text(logged_in.get(reverse("admin:clients_client_change", args=[acme.client_id])))
    assert ("Create API key" in page, "Rotate…" in page) == (may, may)


def test_dead_keys_offer_no_rotation(acme: ApiClient) -> None:
    keys.revoke(acme.key, at=timezone.now(), by=OPERATOR)

    page = browser("risk manager").get(
        reverse("admin:clients_client_change", args=[acme.client_id])
    )

    assert "Rotate…" not in text(page)
