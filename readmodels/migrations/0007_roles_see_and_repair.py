"""Let every role look at parked events and at the index of events, and the risk manager repair projections."""

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

_SEE = ("view_eventindex", "view_parkedevent", "view_discardedevent")
_ROLES = {
    "viewer": _SEE,
    "analyst": _SEE,
    "senior reviewer": _SEE,
    "risk manager": (*_SEE, "repair_projections"),
    "auditor": _SEE,
}


def grant(apps: Any, _: Any) -> None:
    # Permissions are made after all migrations; these groups need them now.
    app = apps.get_app_config("readmodels")
    app.models_module = True
    create_permissions(app, apps=apps, verbosity=0)
    app.models_module = None
    for group, permissions in _each(apps):
        group.permissions.add(*permissions)


def revoke(apps: Any, _: Any) -> None:
    for group, permissions in _each(apps):
        group.permissions.remove(*permissions)


def _each(apps: Any) -> Any:
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    for name, codenames in _ROLES.items():
        permissions = Permission.objects.filter(
            content_type__app_label="readmodels", codename__in=codenames
        )
        yield Group.objects.get(name=name), permissions


class Migration(migrations.Migration):
    dependencies = [("readmodels", "0006_leave_room_for_updates")]
    operations = [migrations.RunPython(grant, revoke)]
