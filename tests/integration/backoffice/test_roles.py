"""The groups in the database match the table of roles."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments import permissions
from readmodels import roles

pytestmark = pytest.mark.django_db


def _held(role: str) -> set[str]:
    held = Group.objects.get(name=role).permissions.values_list(
        "content_type__app_label", "codename"
    )
    return {f"{app}.{codename}" for app, codename in held}


@pytest.mark.parametrize("role", roles.ROLES)
def test_migrate_gives_a_role_the_permissions_of_the_table(role: str) -> None:
    assert _held(role) == roles.permissions(role)


def test_migrate_stores_the_permissions_for_commands() -> None:
    stored = Permission.objects.filter(content_type__app_label="events").values_list(
        "codename", "name"
    )

    assert {f"events.{codename}": label for codename, label in stored} == {
        "events.view_event": "Can view event",
        **permissions.NAMES,
    }


def test_apply_adds_missing_and_removes_surplus_permissions() -> None:
    viewer = Group.objects.get(name="viewer")
    viewer.permissions.set([Permission.objects.get(codename="delete_user")])
    Group.objects.get(name="auditor").delete()

    roles.apply()

    for role in ("viewer", "auditor"):
        assert _held(role) == roles.permissions(role)


def test_apply_writes_nothing_if_nothing_differs() -> None:
    roles.apply()

    with CaptureQueriesContext(connection) as queries:
        roles.apply()

    statements = {query["sql"].split()[0] for query in queries}
    assert not statements & {"INSERT", "UPDATE", "DELETE"}


def test_create_staff_help_lists_the_rights_of_each_role(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        call_command("create_staff", "--help")

    shown = " ".join(capsys.readouterr().out.split())
    for line in roles.help_lines():
        assert " ".join(line.split()) in shown
    manager = shown.partition("risk manager ")[2].partition(" auditor ")[0]
    assert "propose and approve risk policies" in manager
    for other in ("cancel and refund", "escalated", "second approval"):
        assert other not in manager
