"""Let auditors and risk managers see who signed in, and who failed to."""

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

_ROLES = ("auditor", "risk manager")


def grant(apps: Any, _: Any) -> None:
    # Permissions are made after all migrations; these groups need them now.
    app = apps.get_app_config("axes")
    app.models_module = True
    create_permissions(app, apps=apps, verbosity=0)
    app.models_module = None
    for group in _groups(apps):
        group.permissions.add(*_permissions(apps))


def revoke(apps: Any, _: Any) -> None:
    for group in _groups(apps):
        group.permissions.remove(*_permissions(apps))


def _groups(apps: Any) -> Any:
    return apps.get_model("auth", "Group").objects.filter(name__in=_ROLES)


def _permissions(apps: Any) -> Any:
    return apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="axes", codename__in=("view_accesslog", "view_accessfailurelog")
    )


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0019_cards"),
        ("axes", "0010_accessattemptexpiration"),
    ]
    operations = [migrations.RunPython(grant, revoke)]
