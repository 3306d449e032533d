"""The roles of the back office, as groups that hold permissions."""

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

_SEE = [
    "readmodels.view_paymentsummary",
    "readmodels.view_dailystatistics",
    "readmodels.view_checkpoint",
    "events.view_event",
    "customers.view_customer",
    "customers.view_note",
    "clients.view_client",
]
_DECIDE = [*_SEE, "events.review_payment"]
_ROLES = {
    "viewer": _SEE,
    "analyst": _DECIDE,
    "senior reviewer": _DECIDE,
    "risk manager": [*_DECIDE, "customers.change_customer", "clients.view_apikey"],
    "auditor": [*_SEE, "clients.view_apikey"],
}


def create_roles(apps: Any, _: Any) -> None:
    # Permissions are made after all migrations; these groups need them now.
    for label in ("events", "customers", "clients", "readmodels"):
        app = apps.get_app_config(label)
        app.models_module = True
        create_permissions(app, apps=apps, verbosity=0)
        app.models_module = None
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    for name, permissions in _ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        for permission in permissions:
            label, codename = permission.split(".")
            group.permissions.add(
                Permission.objects.get(content_type__app_label=label, codename=codename)
            )


def remove_roles(apps: Any, _: Any) -> None:
    apps.get_model("auth", "Group").objects.filter(name__in=_ROLES).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0001_initial"),
        ("events", "0003_refuse_changes"),
        ("customers", "0001_initial"),
        ("clients", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(create_roles, remove_roles)]
