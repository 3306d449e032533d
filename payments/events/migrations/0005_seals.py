"""Seals, by which changes of the log show that the triggers could not refuse."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

FORWARDS = """
CREATE FUNCTION events_seal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events_seal is append-only: % refused', TG_OP
    USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER events_seal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events_seal
FOR EACH STATEMENT EXECUTE FUNCTION events_seal_refuse_change();
"""

BACKWARDS = """
DROP TRIGGER events_seal_append_only ON events_seal;
DROP FUNCTION events_seal_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("events", "0004_snapshots")]

    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("statement", models.TextField()),
                ("positions", models.TextField()),
                ("digests", models.BinaryField()),
                ("signature", models.BinaryField()),
            ],
            options={"default_permissions": ()},
        ),
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
