"""Find events by what staff search them by."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("readmodels", "0004_customer_activity")]
    operations = [
        migrations.CreateModel(
            name="EventIndex",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("aggregate_id", models.UUIDField(verbose_name="payment")),
                ("version", models.IntegerField()),
                (
                    "event_type",
                    models.CharField(
                        choices=[
                            ("payment.initiated", "payment.initiated"),
                            ("payment.processed", "payment.processed"),
                            ("payment.failed", "payment.failed"),
                            ("payment.flagged_for_review", "payment.flagged_for_review"),
                            ("payment.approved", "payment.approved"),
                            ("payment.rejected", "payment.rejected"),
                        ],
                        max_length=100,
                    ),
                ),
                ("actor", models.CharField(max_length=100)),
                ("command", models.CharField(max_length=50)),
                ("correlation_id", models.CharField(max_length=100, null=True)),
                ("occurred_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "event",
                "ordering": ("-position",),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["event_type", "-position"], name="event_by_type"),
                    models.Index(fields=["actor", "-position"], name="event_by_actor"),
                    models.Index(fields=["aggregate_id", "-position"], name="event_by_aggregate"),
                    models.Index(
                        condition=models.Q(("correlation_id__isnull", False)),
                        fields=["correlation_id", "-position"],
                        name="event_by_correlation",
                    ),
                    models.Index(fields=["recorded_at"], name="event_by_time"),
                ],
            },
        ),
    ]
