"""Sum up what was refunded; let payments expire and be cancelled."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0011_blocked_payments"),
    ]

    operations = [
        migrations.AddField(
            model_name="dailystatistics",
            name="refunded_count",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="dailystatistics",
            name="refunded_volume",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="paymentsummary",
            name="refunded_amount",
            field=models.BigIntegerField(default=0),
        ),
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
                ],
                max_length=100,
            ),
        ),
        migrations.AlterField(
            model_name="paymentsummary",
            name="status",
            field=models.CharField(
                choices=[
                    ("initiated", "Initiated"),
                    ("pending_review", "Pending review"),
                    ("completed", "Completed"),
                    ("failed", "Failed"),
                    ("rejected", "Rejected"),
                    ("expired", "Expired"),
                    ("cancelled", "Cancelled"),
                    ("partially_refunded", "Partially refunded"),
                    ("refunded", "Refunded"),
                ],
                max_length=20,
            ),
        ),
    ]
