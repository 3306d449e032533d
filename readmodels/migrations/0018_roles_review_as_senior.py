"""Let senior reviewers decide on what was escalated, approve as the second, cancel and refund."""

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

_PERMISSIONS = ("review_as_senior", "correct_payment")


def grant(apps: Any, _: Any) -> None:
    # Permissions are made after all migrations; this group needs them now.
    app = apps.get_app_config("events")
    app.models_module = True
    create_permissions(app, apps=apps, verbosity=0)
    app.models_module = None
    _group(apps).permissions.add(*_permissions(apps))


def revoke(apps: Any, _: Any) -> None:
    _group(apps).permissions.remove(*_permissions(apps))


def _group(apps: Any) -> Any:
    return apps.get_model("auth", "Group").objects.get(name="senior reviewer")


def _permissions(apps: Any) -> Any:
    return apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="events", codename__in=_PERMISSIONS
    )


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0017_claims_and_four_eyes"),
        ("events", "0007_senior_reviewers"),
    ]
    operations = [migrations.RunPython(grant, revoke)]
