"""List payments in the order of the log, which clients can follow."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0022_alter_eventindex_event_type"),
    ]

    operations = [
        migrations.AddField(
            model_name="paymentsummary",
            name="first_position",
            field=models.BigIntegerField(
                db_default=0,
                default=0,
                help_text="Of its first event: the order of a list to follow.",
            ),
        ),
        migrations.AddIndex(
            model_name="paymentsummary",
            index=models.Index(fields=["client_id", "first_position"], name="payment_by_position"),
        ),
    ]
