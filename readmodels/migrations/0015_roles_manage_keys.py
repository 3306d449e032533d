"""Let risk managers revoke API keys: a leaked one cannot wait for somebody at the machine."""

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

_ROLES = ("risk manager",)


def grant(apps: Any, _: Any) -> None:
    # Permissions are made after all migrations; this group needs them now.
    app = apps.get_app_config("clients")
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
        content_type__app_label="clients", codename="manage_apikey"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0014_index_policy_events"),
        ("clients", "0002_manage_keys"),
    ]
    operations = [migrations.RunPython(grant, revoke)]
