"""Give a block a reason code, and keep its text as a note, which can be erased."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

TEXTS_TO_NOTES = """
UPDATE customers_blocking SET note_id = gen_random_uuid() WHERE reason <> '';
INSERT INTO customers_note (id, payment_id, author, salt, text, written_at)
SELECT note_id, NULL, actor, uuid_send(gen_random_uuid()), reason, at
  FROM customers_blocking WHERE note_id IS NOT NULL;
UPDATE customers_blocking SET reason = 'other';
"""


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("customers", "0004_erasure")]

    operations: ClassVar[list[Operation]] = [
        migrations.AlterField(
            model_name="note",
            name="payment_id",
            field=models.UUIDField(db_index=True, null=True),
        ),
        migrations.AddField(
            model_name="blocking",
            name="note_id",
            field=models.UUIDField(null=True),
        ),
        migrations.RunSQL(TEXTS_TO_NOTES, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="blocking",
            name="reason",
            field=models.CharField(max_length=50),
        ),
    ]
