"""Keep with each checkpoint what its batches cost."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("readmodels", "0008_order_events_by_time")]
    operations = [
        migrations.AddField(
            "checkpoint",
            "work",
            models.JSONField(
                db_default={}, default=dict, help_text="See readmodels.engine.metering."
            ),
        )
    ]
