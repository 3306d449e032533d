"""Count what each customer begins to pay."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("readmodels", "0003_park_events")]
    operations = [
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
                ("bucket", models.DateTimeField(help_text="Its beginning.")),
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
    ]
