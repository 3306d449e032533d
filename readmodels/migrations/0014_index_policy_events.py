"""Name the events of risk policies among those that staff search for."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0013_roles_manage_policies"),
    ]

    operations = [
        migrations.AlterField(
            model_name="eventindex",
            name="event_type",
            field=models.CharField(
                choices=[
                    ("payment.initiated", "payment.initiated"),
                    ("payment.processed", "payment.processed"),
                    ("payment.failed", "payment.failed"),
                    ("payment.flagged_for_review", "payment.flagged_for_review"),
                    ("payment.approved", "payment.approved"),
                    ("payment.rejected", "payment.rejected"),
                    ("payment.expired", "payment.expired"),
                    ("payment.cancelled", "payment.cancelled"),
                    ("payment.refunded", "payment.refunded"),
                    ("policy.proposed", "policy.proposed"),
                    ("policy.approved", "policy.approved"),
                    ("policy.retired", "policy.retired"),
                ],
                max_length=100,
            ),
        ),
    ]
