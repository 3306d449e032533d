"""Staff accounts: adding them, roles and their record. Accounts in records are not deleted."""

import re
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from payments import actors
from payments.application.dispatch import CommandContext, dispatch
from payments.clients import keys
from payments.clients.models import Client
from payments.customers.models import Customer, Note
from payments.identity.models import Account
from payments.permissions import NotPermitted
from readmodels.exports.models import Export, Format, Kind, State
from readmodels.models import DiscardedEvent
from readmodels.staff import changes
from readmodels.staff.models import StaffChange
from tests.support import example_commands, examples
from tests.support.api import ApiClient
from tests.support.backoffice import browser, text
from tests.support.examples import OPERATOR
from tests.support.reviewing import do, waiting

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
        example_commands.process(client_id=Client.objects.create(name="A").pk),
        CommandContext(actor=_(zoe)),
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


def _exported(zoe: Any) -> None:
    Export.objects.create(
        kind=Kind.EVENTS,
        format=Format.CSV,
        requested_by=_(zoe),
        requested_at=NOW,
        state=State.RUNNING,
    )


def _was_assigned(zoe: Any) -> None:
    """Assign a payment to zoe, so that an event names her though she did nothing."""
    (payment,) = waiting()
    do(browser(), payment, "claim")
    grace = get_user_model().objects.get(username="grace")
    command = example_commands.assign(
        payment_id=UUID(payment), reviewer=_(grace), to=_(zoe), at=NOW
    )
    dispatch(command, CommandContext(actor=_(grace)))


def _(zoe: Any) -> str:
    return actors.staff(zoe.pk)


@pytest.mark.parametrize(
    "did",
    [
        _signed_in,
        _decided,
        _wrote_a_note,
        _erased,
        _discarded,
        _has_a_key,
        _exported,
        _was_assigned,
    ],
)
def test_account_named_in_records_cannot_be_deleted(root: Browser, zoe: Any, did: Any) -> None:
    did(zoe)
    delete = reverse("admin:auth_user_delete", args=[zoe.pk])
    assert "Deactivate it instead of deleting it." in text(root.post(delete))
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
    answer = root.post(reverse("admin:auth_user_delete", args=[zoe.pk]))
    assert answer.status_code == 302
    assert not get_user_model().objects.filter(pk=zoe.pk).exists()


def test_staff_list_shows_roles_and_offers_no_deletion(root: Browser, zoe: Any) -> None:
    zoe.groups.add(Group.objects.get(name="auditor"))
    shown = root.get(reverse("admin:auth_user_changelist"))

    assert "zoe – Auditor active never" in text(shown)
    assert "root – Superuser active" in text(shown)
    assert "delete_selected" not in shown.content.decode()


def test_deactivated_account_keeps_its_name_in_the_history(root: Browser, zoe: Any) -> None:
    _decided(zoe)
    type(zoe).objects.filter(pk=zoe.pk).update(is_active=False)
    page = reverse("admin:readmodels_paymentsummary_change", args=[examples.PAYMENT])
    assert "by zoe" in text(root.get(page))


def test_create_staff_refuses_an_unknown_role() -> None:
    with pytest.raises(CommandError, match="senior reviewer"):
        call_command("create_staff", "zoe", role="king", stderr=StringIO())


ADD = {"username": "yann", "first_name": "Yann", "last_name": "Oz", "role": "analyst"}


def test_person_is_added_with_name_role_and_password_in_one_step(root: Browser) -> None:
    answer = root.post(reverse("admin:auth_user_add"), ADD | {"password": "correct horse battery"})

    yann = get_user_model().objects.get(username="yann")
    assert answer.status_code == 302
    assert (yann.get_full_name(), yann.is_staff, yann.is_superuser) == ("Yann Oz", True, False)
    assert [group.name for group in yann.groups.all()] == ["analyst"]
    assert Account.objects.get(user=yann).must_change_password
    assert yann.check_password("correct horse battery")


def test_made_password_is_shown_once_and_works(root: Browser) -> None:
    page = root.post(reverse("admin:auth_user_add"), ADD | {"password": ""})

    found = re.search(r"select-all[^>]*>([^<]+)<", page.content.decode())
    assert found
    assert get_user_model().objects.get(username="yann").check_password(found[1])
    assert found[1] not in root.get(_page("yann")).content.decode()


def test_password_set_by_another_person_must_be_changed(root: Browser, zoe: Any) -> None:
    root.post(_of(zoe, "auth_user_password_change"), {"password": "correct horse battery"})

    zoe.refresh_from_db()
    assert zoe.check_password("correct horse battery")
    assert Account.objects.get(user=zoe).must_change_password


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"username": "root"}, "The username root is taken. Choose another one."),
        ({"username": "a b"}, "Enter a valid username."),
        ({"username": " "}, "Enter a username."),
        ({"role": "king"}, "This is not one of the roles. Choose one."),
        ({"password": "yann"}, "This password is too short."),
        ({"first_name": "Y\u202e"}, "character"),
    ],
)
def test_add_refuses_a_wrong_value_and_stores_nothing(
    root: Browser, changed: dict[str, str], complaint: str
) -> None:
    sent = ADD | {"password": "correct horse battery"} | changed
    answer = root.post(reverse("admin:auth_user_add"), sent)

    assert complaint in text(answer)
    assert get_user_model().objects.count() == 1


def test_role_is_changed_in_one_step_and_recorded(root: Browser, zoe: Any) -> None:
    zoe.groups.add(Group.objects.get(name="auditor"))

    answer = root.post(_of(zoe, "staff_role"), {"role": "risk manager"}, follow=True)

    assert "zoe is risk manager from now on." in text(answer)
    assert [group.name for group in zoe.groups.all()] == ["risk manager"]
    found = StaffChange.objects.filter(staff=zoe.pk).order_by("id")
    assert [(each.kind, each.before, each.after) for each in found][-2:] == [
        ("role_removed", "auditor", ""),
        ("role_added", "", "risk manager"),
    ]
    by = actors.staff(get_user_model().objects.get(username="root").pk)
    assert [each.by for each in found][-2:] == [by, by]


def test_deactivation_signs_the_person_out_and_is_recorded(root: Browser) -> None:
    rita = browser("analyst", "rita")
    user = get_user_model().objects.get(username="rita")

    root.post(_of(user, "staff_deactivate"))
    answer = rita.get("/admin/reviews/")
    root.post(_of(user, "staff_activate"))

    assert answer.status_code == 302
    assert rita.get("/admin/reviews/").status_code == 302
    kinds = StaffChange.objects.filter(staff=user.pk).order_by("id").values_list("kind", flat=True)
    assert list(kinds)[-2:] == ["deactivated", "activated"]


def test_changes_by_other_ways_are_recorded_too(zoe: Any) -> None:
    """If only the pages wrote the record, changes by commands, the ORM and SQL would be missing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE auth_user SET is_superuser = true, username = 'zo' WHERE id = %s", [zoe.pk]
        )
    zoe.groups.add(Group.objects.get(name="auditor"))
    zoe.user_permissions.add(Permission.objects.get(codename="export_lists"))
    zoe.user_permissions.clear()
    get_user_model().objects.filter(pk=zoe.pk).update(last_login=NOW)

    found = StaffChange.objects.filter(staff=zoe.pk).order_by("id")
    changed = ["added", "renamed", "superuser", "role_added"]
    changed += ["permission_added", "permission_removed"]
    assert [each.kind for each in found] == changed
    assert [each.after for each in found][-2] == "export_lists"
    assert all(each.by.startswith("database:") for each in found)


def test_record_of_staff_changes_is_permanent(zoe: Any) -> None:
    for change in (
        "DELETE FROM staff_staffchange",
        "UPDATE staff_staffchange SET by = 'x'",
        "TRUNCATE staff_staffchange",
        "TRUNCATE auth_user_groups",
        "TRUNCATE auth_user_user_permissions",
    ):
        with pytest.raises(IntegrityError, match="permanent"), connection.cursor() as cursor:
            cursor.execute(change)
    zoe.groups.add(Group.objects.get(name="auditor"))
    zoe.user_permissions.add(Permission.objects.earliest("pk"))
    for table in ("auth_user_groups", "auth_user_user_permissions"):
        with pytest.raises(IntegrityError, match="never changed"), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET user_id = user_id")


@pytest.mark.parametrize("name", ["staff_role", "staff_deactivate", "auth_user_delete"])
def test_administrators_cannot_change_their_own_role_or_state(root: Browser, name: str) -> None:
    user = get_user_model().objects.get(username="root")

    answer = root.post(_of(user, name), {"role": "viewer"})

    assert "Ask another administrator." in text(answer)
    user.refresh_from_db()
    assert user.is_superuser
    assert user.is_active


@pytest.mark.parametrize(
    "role", ["viewer", "analyst", "senior reviewer", "risk manager", "auditor"]
)
def test_roles_but_superuser_change_no_accounts(role: str, zoe: Any) -> None:
    person = browser(role, "rita")
    sees = role == "auditor"

    pages = [reverse("admin:auth_user_changelist"), _page("zoe")]
    assert {person.get(page).status_code for page in pages} == {200 if sees else 403}
    history = person.get(reverse("admin:staff_staffchange_changelist"))
    assert history.status_code == (200 if sees else 403)
    for name in ("staff_role", "staff_name", "staff_deactivate", "auth_user_password_change"):
        assert person.post(_of(zoe, name), {"role": "viewer"}).status_code == 403
        assert person.get(_of(zoe, name)).status_code == 403
    assert person.post(reverse("admin:auth_user_add"), ADD).status_code == 403
    if sees:
        assert "Change role" not in text(person.get(_page("zoe")))


def test_use_case_of_roles_checks_the_permission(zoe: Any) -> None:
    person = browser("risk manager", "rita")

    with pytest.raises(NotPermitted):
        changes.change_role(zoe, "auditor", by=f"staff:{person.session['_auth_user_id']}")

    assert not zoe.groups.exists()


def test_groups_have_no_page(root: Browser) -> None:
    """Roles are part of the software. A page would allow changes of what a role may do."""
    assert root.get("/admin/auth/group/").status_code == 404


def test_secrets_of_apps_have_no_page() -> None:
    """django-otp's own page would show the secrets to superusers."""
    assert not admin.site.is_registered(TOTPDevice)


def _page(username: str) -> str:
    return _of(get_user_model().objects.get(username=username), "auth_user_change")


def _of(user: Any, name: str) -> str:
    return reverse(f"admin:{name}", args=[user.pk])
