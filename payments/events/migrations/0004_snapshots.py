from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("events", "0003_refuse_changes")]

    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("aggregate_id", models.UUIDField(primary_key=True, serialize=False)),
                ("version", models.IntegerField()),
                ("fold", models.CharField(max_length=50)),
                ("state", models.JSONField()),
            ],
            options={"default_permissions": ()},
        )
    ]
