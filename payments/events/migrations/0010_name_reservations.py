"""Rename the model only: the table keeps its name."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("events", "0009_permissions_for_commands")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterModelTable("Claim", "events_claim"),
                migrations.RenameModel("Claim", "Reservation"),
            ]
        )
    ]
