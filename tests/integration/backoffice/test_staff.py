"""Staff accounts: deletion is refused for accounts that records name."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from payments import actors
from payments.application.dispatch import CommandContext, dispatch
from payments.clients import keys
from payments.clients.models import Client
from payments.customers.models import Customer, Note
from readmodels.models import DiscardedEvent
from tests.support import examples
from tests.support.api import ApiClient
from tests.support.backoffice import text
from tests.support.examples import OPERATOR

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NOW = timezone.now()


@pytest.fixture
def root() -> Browser:
    logged_in = Browser()
    logged_in.force_login(get_user_model().objects.create_superuser("root"))
    return logged_in


@pytest.fixture
def zoe() -> Any:
    return get_user_model().objects.create(username="zoe", is_staff=True)


def _signed_in(zoe: Any) -> None:
    type(zoe).objects.filter(pk=zoe.pk).update(last_login=NOW)


def _decided(zoe: Any) -> None:
    dispatch(
        examples.process(client_id=Client.objects.create(name="A").pk), CommandContext(actor=_(zoe))
    )


def _wrote_a_note(zoe: Any) -> None:
    Note.objects.create(
        id=examples.PAYMENT, author=_(zoe), salt=b"", text="Called.", written_at=NOW
    )


def _erased(zoe: Any) -> None:
    ApiClient().submit()
    Customer.objects.update(erased_by=_(zoe))


def _discarded(zoe: Any) -> None:
    DiscardedEvent.objects.create(
        position=1,
        aggregate_id=examples.PAYMENT,
        discarded_by=_(zoe),
        discarded_at=NOW - timedelta(days=1),
    )


def _has_a_key(zoe: Any) -> None:
    client = Client.objects.create(name="A")
    keys.create(client, ["reviews:write"], staff_id=zoe.pk, by=OPERATOR)


def _(zoe: Any) -> str:
    return actors.staff(zoe.pk)


@pytest.mark.parametrize(
    "did", [_signed_in, _decided, _wrote_a_note, _erased, _discarded, _has_a_key]
)
def test_account_named_in_records_cannot_be_deleted(root: Browser, zoe: Any, did: Any) -> None:
    did(zoe)
    delete = reverse("admin:auth_user_delete", args=[zoe.pk])
    assert root.post(delete, {"post": "yes"}).status_code == 403
    page = root.get(reverse("admin:auth_user_change", args=[zoe.pk])).content.decode()
    assert delete not in page
    everybody = reverse("admin:auth_user_changelist")
    bulk = {"action": "delete_selected", "_selected_action": [zoe.pk], "post": "yes"}
    root.post(everybody, bulk)
    refused = pytest.raises(IntegrityError, match="cannot be deleted|still referenced")
    with refused, connection.cursor() as cursor:
        cursor.execute("DELETE FROM auth_user WHERE id = %s", [zoe.pk])
    assert get_user_model().objects.filter(pk=zoe.pk).exists()


def test_unused_account_can_be_deleted(root: Browser, zoe: Any) -> None:
    answer = root.post(reverse("admin:auth_user_delete", args=[zoe.pk]), {"post": "yes"})
    assert answer.status_code == 302
    assert not get_user_model().objects.filter(pk=zoe.pk).exists()


def test_staff_list_shows_roles_and_offers_no_deletion(root: Browser, zoe: Any) -> None:
    zoe.groups.add(Group.objects.get(name="auditor"))
    shown = root.get(reverse("admin:auth_user_changelist"))

    assert "auditor" in text(shown)
    assert "superuser" in text(shown)
    assert "delete_selected" not in shown.content.decode()


def test_deactivated_account_keeps_its_name_in_the_history(root: Browser, zoe: Any) -> None:
    _decided(zoe)
    type(zoe).objects.filter(pk=zoe.pk).update(is_active=False)
    page = reverse("admin:readmodels_paymentsummary_change", args=[examples.PAYMENT])
    assert "by zoe" in text(root.get(page))


def test_create_staff_refuses_an_unknown_role() -> None:
    with pytest.raises(CommandError, match="senior reviewer"):
        call_command("create_staff", "zoe", role="king", stderr=StringIO())
