from pathlib import Path

import django.contrib.postgres.fields
from django.db import migrations, models

from payments.schema import run_sql

SQL = Path(__file__).with_name("sql")


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("clients", "0001_initial"),
        ("customers", "0001_initial"),
        ("events", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="PaymentSummary",
            fields=[
                ("payment_id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("client_id", models.UUIDField()),
                ("customer_id", models.UUIDField()),
                ("reference", models.CharField(max_length=255, null=True)),
                ("amount", models.BigIntegerField(help_text="In minor units of the currency.")),
                ("currency", models.CharField(max_length=3)),
                (
                    "method",
                    models.CharField(
                        choices=[
                            ("credit_card", "Credit card"),
                            ("debit_card", "Debit card"),
                            ("bank_transfer", "Bank transfer"),
                            ("wallet", "Wallet"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "status",
                    models.CharField(
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
                (
                    "risk_score",
                    models.SmallIntegerField(help_text="Empty if not assessed.", null=True),
                ),
                (
                    "risk_band",
                    models.CharField(
                        blank=True,
                        choices=[("low", "Low"), ("medium", "Medium"), ("high", "High")],
                        max_length=10,
                    ),
                ),
                (
                    "risk_reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50), default=list, size=None
                    ),
                ),
                (
                    "requires_review",
                    models.BooleanField(help_text="Whether it was flagged for review."),
                ),
                (
                    "failure_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("method_limit_exceeded", "Method limit exceeded"),
                            ("blocked_by_policy", "Blocked by policy"),
                        ],
                        max_length=50,
                    ),
                ),
                (
                    "reviewer",
                    models.CharField(
                        blank=True, help_text="The actor who decided.", max_length=100
                    ),
                ),
                (
                    "review_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("verified_with_customer", "Verified with customer"),
                            ("known_customer", "Known customer"),
                            ("documents_checked", "Documents checked"),
                            ("other", "Other"),
                            ("suspected_fraud", "Suspected fraud"),
                            ("customer_unreachable", "Customer unreachable"),
                            ("documents_missing", "Documents missing"),
                        ],
                        max_length=50,
                    ),
                ),
                ("review_note_id", models.UUIDField(null=True)),
                ("reviewed_at", models.DateTimeField(null=True)),
                ("initiated_at", models.DateTimeField()),
                ("flagged_at", models.DateTimeField(null=True)),
                ("processed_at", models.DateTimeField(null=True)),
                ("updated_at", models.DateTimeField()),
                ("version", models.IntegerField()),
                ("position", models.BigIntegerField()),
                ("refunded_amount", models.BigIntegerField(default=0)),
                ("review_deadline", models.DateTimeField(null=True)),
                (
                    "claimed_by",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="The actor of the claim.",
                        max_length=100,
                    ),
                ),
                ("claimed_until", models.DateTimeField(null=True)),
                (
                    "escalated",
                    models.BooleanField(
                        db_default=False, default=False, help_text="Senior reviewers decide."
                    ),
                ),
                (
                    "first_approver",
                    models.CharField(blank=True, db_default="", default="", max_length=100),
                ),
                (
                    "four_eyes",
                    models.BooleanField(
                        db_default=False, default=False, help_text="Two people must approve it."
                    ),
                ),
                ("reject_advised", models.BooleanField(db_default=False, default=False)),
                (
                    "card_brand",
                    models.CharField(blank=True, db_default="", default="", max_length=20),
                ),
                (
                    "card_last4",
                    models.CharField(blank=True, db_default="", default="", max_length=4),
                ),
                (
                    "first_position",
                    models.BigIntegerField(
                        db_default=0,
                        default=0,
                        help_text="Position of its first event. Orders the list that clients follow.",
                    ),
                ),
            ],
            options={
                "verbose_name": "payment",
                "ordering": ("-initiated_at", "-payment_id"),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["-initiated_at", "-payment_id"], name="payment_by_time"),
                    models.Index(
                        fields=["client_id", "-initiated_at", "-payment_id"],
                        name="payment_by_client",
                    ),
                    models.Index(
                        fields=["client_id", "first_position"], name="payment_by_position"
                    ),
                    models.Index(
                        fields=["customer_id", "-initiated_at", "-payment_id"],
                        name="payment_by_customer",
                    ),
                    models.Index(
                        fields=["status", "-initiated_at", "-payment_id"], name="payment_by_status"
                    ),
                    models.Index(
                        fields=["currency", "-initiated_at", "-payment_id"],
                        name="payment_by_currency",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("risk_band", "medium"), ("risk_band", "high"), _connector="OR"
                        ),
                        fields=["risk_band", "-initiated_at", "-payment_id"],
                        name="payment_by_band",
                    ),
                    models.Index(
                        condition=models.Q(("requires_review", True)),
                        fields=["-initiated_at", "-payment_id"],
                        name="payment_reviewed",
                    ),
                    models.Index(
                        condition=models.Q(
                            models.Q(
                                ("status", "completed"),
                                ("status", "partially_refunded"),
                                _connector="OR",
                            ),
                            models.Q(
                                ("method", "credit_card"), ("method", "debit_card"), _connector="OR"
                            ),
                        ),
                        fields=["customer_id"],
                        name="payment_paid_by_card",
                    ),
                    models.Index(
                        condition=models.Q(("reference__isnull", False)),
                        fields=["reference"],
                        name="payment_by_reference",
                    ),
                    models.Index(
                        condition=models.Q(("status", "pending_review")),
                        fields=["review_deadline", "payment_id"],
                        name="payment_by_deadline",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DailyStatistics",
            fields=[
                (
                    "key",
                    models.CharField(
                        editable=False, max_length=60, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField()),
                ("client_id", models.UUIDField()),
                ("currency", models.CharField(max_length=3)),
                ("total_count", models.BigIntegerField(default=0)),
                (
                    "total_volume",
                    models.BigIntegerField(default=0, help_text="In minor units of the currency."),
                ),
                ("completed_count", models.BigIntegerField(default=0)),
                ("completed_volume", models.BigIntegerField(default=0)),
                ("failed_count", models.BigIntegerField(default=0)),
                ("failed_volume", models.BigIntegerField(default=0)),
                ("rejected_count", models.BigIntegerField(default=0)),
                ("rejected_volume", models.BigIntegerField(default=0)),
                (
                    "review_count",
                    models.BigIntegerField(default=0, help_text="Flagged for review on this day."),
                ),
                (
                    "open_reviews",
                    models.BigIntegerField(
                        default=0, help_text="Flagged on this day and still open."
                    ),
                ),
                ("refunded_count", models.BigIntegerField(default=0)),
                ("refunded_volume", models.BigIntegerField(default=0)),
            ],
            options={
                "verbose_name": "daily statistics",
                "verbose_name_plural": "daily statistics",
                "ordering": ("-day", "currency", "client_id"),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        fields=["-day", "currency", "client_id"], name="statistics_by_day"
                    ),
                    models.Index(fields=["client_id", "-day"], name="statistics_by_client"),
                ],
            },
        ),
        migrations.CreateModel(
            name="CustomerActivity",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "customer_id",
                        "bucket",
                        "currency",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("customer_id", models.UUIDField()),
                ("bucket", models.DateTimeField(help_text="Start of the five minutes.")),
                ("currency", models.CharField(max_length=3)),
                ("initiated_count", models.BigIntegerField(default=0)),
                (
                    "initiated_volume",
                    models.BigIntegerField(default=0, help_text="In minor units of the currency."),
                ),
            ],
            options={
                "verbose_name_plural": "customer activity",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="EventIndex",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("aggregate_id", models.UUIDField(verbose_name="payment")),
                ("version", models.IntegerField()),
                ("event_type", models.CharField(max_length=100)),
                ("actor", models.CharField(max_length=100)),
                ("command", models.CharField(max_length=50)),
                ("correlation_id", models.CharField(max_length=100, null=True)),
                ("occurred_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "event",
                "ordering": ("-recorded_at", "-position"),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        fields=["event_type", "-recorded_at", "-position"], name="event_by_type"
                    ),
                    models.Index(
                        fields=["actor", "-recorded_at", "-position"], name="event_by_actor"
                    ),
                    models.Index(
                        fields=["aggregate_id", "-recorded_at", "-position"],
                        name="event_by_aggregate",
                    ),
                    models.Index(
                        condition=models.Q(("correlation_id__isnull", False)),
                        fields=["correlation_id", "-recorded_at", "-position"],
                        name="event_by_correlation",
                    ),
                    models.Index(fields=["-recorded_at", "-position"], name="event_by_time"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                ("name", models.CharField(max_length=50, primary_key=True, serialize=False)),
                (
                    "version",
                    models.IntegerField(help_text="Version of the code that filled the table."),
                ),
                (
                    "position",
                    models.BigIntegerField(default=0, help_text="Position of the last event read."),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "error",
                    models.TextField(
                        blank=True, help_text="Why the projection is stalled. Empty if it is not."
                    ),
                ),
                (
                    "work",
                    models.JSONField(
                        db_default={}, default=dict, help_text="See readmodels.engine.metering."
                    ),
                ),
            ],
            options={
                "verbose_name": "projection",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="ParkedEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("projection", models.CharField(max_length=50)),
                ("aggregate_id", models.UUIDField(verbose_name="payment")),
                ("position", models.BigIntegerField()),
                ("version", models.IntegerField()),
                ("event_type", models.CharField(max_length=100)),
                (
                    "error",
                    models.TextField(
                        help_text="Empty if it waits for an earlier event of its payment."
                    ),
                ),
                ("traceback", models.TextField()),
                ("attempts", models.IntegerField()),
                ("parked_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("-position", "projection"),
                "permissions": (("repair_projections", "Can retry and discard parked events"),),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["-position", "projection"], name="parked_by_position")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("projection", "aggregate_id", "position"), name="parked_event_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DiscardedEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("projection", models.CharField(max_length=50)),
                ("position", models.BigIntegerField()),
                ("aggregate_id", models.UUIDField()),
                ("reason", models.TextField()),
                ("discarded_by", models.CharField(help_text="The actor.", max_length=100)),
                ("discarded_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("-position", "projection"),
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("projection", "position"), name="discarded_event_once"
                    )
                ],
            },
        ),
        run_sql(SQL / "storage.sql"),
        run_sql(SQL / "readers.sql"),
        run_sql(SQL / "staff.sql"),
    ]
