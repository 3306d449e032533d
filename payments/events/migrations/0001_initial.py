from pathlib import Path

from django.db import migrations, models

from payments.schema import run_sql

SQL = Path(__file__).with_name("sql")


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Event",
            fields=[
                ("position", models.BigAutoField(primary_key=True, serialize=False)),
                ("aggregate_type", models.CharField(max_length=50)),
                ("aggregate_id", models.UUIDField()),
                ("version", models.IntegerField()),
                ("event_type", models.CharField(max_length=100)),
                ("schema_version", models.SmallIntegerField()),
                ("data", models.JSONField()),
                ("metadata", models.JSONField()),
                ("occurred_at", models.DateTimeField()),
                (
                    "recorded_at",
                    models.DateTimeField(
                        db_default=models.Func(
                            function="clock_timestamp", output_field=models.DateTimeField()
                        )
                    ),
                ),
            ],
            options={
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("aggregate_id", "version"), name="events_event_aggregate_version"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Reservation",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "namespace",
                        "value",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("namespace", models.CharField(max_length=100)),
                ("value", models.CharField(max_length=255)),
                ("aggregate_id", models.UUIDField()),
            ],
            options={
                "db_table": "events_claim",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("aggregate_id", models.UUIDField(primary_key=True, serialize=False)),
                ("version", models.IntegerField()),
                ("fold", models.CharField(max_length=50)),
                ("state", models.JSONField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("statement", models.TextField()),
                ("positions", models.TextField()),
                ("digests", models.BinaryField()),
                ("signature", models.BinaryField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Log",
            fields=[
                ("id", models.SmallIntegerField(db_default=1, primary_key=True, serialize=False)),
                (
                    "identity",
                    models.UUIDField(
                        db_default=models.Func(
                            function="gen_random_uuid", output_field=models.UUIDField()
                        )
                    ),
                ),
                ("sealed_number", models.BigIntegerField(db_default=0)),
                ("sealed_position", models.BigIntegerField(db_default=0)),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="events_log_only_one"
                    )
                ],
            },
        ),
        run_sql(SQL / "append_only.sql"),
        run_sql(SQL / "readers.sql"),
    ]
