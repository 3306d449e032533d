"""Add the permission to manage risk policies."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0005_seals"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="event",
            options={
                "default_permissions": ("view",),
                "permissions": (
                    ("review_payment", "Can approve and reject payments"),
                    ("manage_policies", "Can propose, approve and retire risk policies"),
                ),
            },
        ),
    ]
