"""Set aside what a projection cannot take, and remember what it never shall."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("readmodels", "0002_roles")]
    operations = [
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
                        help_text="Empty: it waits for an earlier event of its payment."
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
    ]
