"""Add the permissions to review as a senior, and to cancel and refund payments."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0006_manage_policies"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="event",
            options={
                "default_permissions": ("view",),
                "permissions": (
                    ("review_payment", "Can approve and reject payments"),
                    (
                        "review_as_senior",
                        "Can decide on escalated payments and approve as the second",
                    ),
                    ("correct_payment", "Can cancel and refund payments"),
                    ("manage_policies", "Can propose, approve and retire risk policies"),
                ),
            },
        ),
    ]
