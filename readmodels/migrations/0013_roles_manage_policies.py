"""Let risk managers manage risk policies."""

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations


def grant(apps: Any, _: Any) -> None:
    # Permissions are made after all migrations; this group needs them now.
    app = apps.get_app_config("events")
    app.models_module = True
    create_permissions(app, apps=apps, verbosity=0)
    app.models_module = None
    _group(apps).permissions.add(_permission(apps))


def revoke(apps: Any, _: Any) -> None:
    _group(apps).permissions.remove(_permission(apps))


def _group(apps: Any) -> Any:
    return apps.get_model("auth", "Group").objects.get(name="risk manager")


def _permission(apps: Any) -> Any:
    return apps.get_model("auth", "Permission").objects.get(
        content_type__app_label="events", codename="manage_policies"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0012_refunds"),
        ("events", "0006_manage_policies"),
    ]
    operations = [migrations.RunPython(grant, revoke)]
