"""Let senior reviewers and risk managers block customers and unblock them."""

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

_ROLES = ("senior reviewer", "risk manager")


def grant(apps: Any, _: Any) -> None:
    # Permissions are made after all migrations; these groups need them now.
    app = apps.get_app_config("customers")
    app.models_module = True
    create_permissions(app, apps=apps, verbosity=0)
    app.models_module = None
    for group in _groups(apps):
        group.permissions.add(_permission(apps))


def revoke(apps: Any, _: Any) -> None:
    for group in _groups(apps):
        group.permissions.remove(_permission(apps))


def _groups(apps: Any) -> Any:
    return apps.get_model("auth", "Group").objects.filter(name__in=_ROLES)


def _permission(apps: Any) -> Any:
    return apps.get_model("auth", "Permission").objects.get(
        content_type__app_label="customers", codename="block_customer"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0009_count_work"),
        ("customers", "0003_contacts_and_blocks"),
    ]
    operations = [migrations.RunPython(grant, revoke)]
