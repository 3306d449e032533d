"""Refuse UPDATE, DELETE and TRUNCATE: history is corrected by further events only."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

# At statement level it also refuses what matches no row, and it costs an insert nothing.
FORWARDS = """
CREATE FUNCTION events_event_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events_event is append-only: % refused', TG_OP
    USING ERRCODE = 'restrict_violation', HINT = 'Append a correcting event instead.';
END
$$;
CREATE TRIGGER events_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events_event
FOR EACH STATEMENT EXECUTE FUNCTION events_event_refuse_change();
"""

BACKWARDS = """
DROP TRIGGER events_event_append_only ON events_event;
DROP FUNCTION events_event_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("events", "0002_number_events_always")]

    operations: ClassVar[list[Operation]] = [migrations.RunSQL(FORWARDS, BACKWARDS)]
