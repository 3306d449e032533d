"""Later events of a range are looked up by stream, even if the planner has no statistics."""

import pytest
from django.db import connection
from psycopg import Cursor

from payments.events.reading import ranges

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

_PAYMENTS = 100_000
_INSERT = """
INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type, schema_version, data, metadata,
                          occurred_at)
SELECT 'payment', md5(number::text)::uuid, version, 'payment.initiated', 1, '{}', '{}', now()
  FROM generate_series(1, %(payments)s) AS number, generate_series(1, 2) AS version
"""


def test_later_events_are_looked_up_by_stream_right_after_a_bulk_insert() -> None:
    """If the statement were a join, its plan would not use the index of versions."""
    with connection.cursor() as cursor:
        # FULL, because the planner would count pages that other tests left as rows.
        cursor.execute("VACUUM (FULL, ANALYZE) events_event")
        # ANALYZE of an empty table keeps the statistics of earlier tests.
        cursor.execute("DELETE FROM pg_statistic WHERE starelid = 'events_event'::regclass")
        cursor.execute(_INSERT, {"payments": _PAYMENTS})
        cursor.execute("SELECT min(position), max(position) FROM events_event")
        first, last = cursor.fetchone()
        cursor.execute("SELECT md5(number::text)::uuid FROM generate_series(1, 2000) AS number")
        streams = [stream for (stream,) in cursor.fetchall()]
    parameters = {"streams": streams, "until": first + 4_000, "upto": last}

    connection.ensure_connection()
    with connection.connection.cursor() as native:
        assert isinstance(native, Cursor)
        native.execute(f"EXPLAIN {ranges._LATER}", parameters, prepare=False)
        plan = "\n".join(line for (line,) in native.fetchall())

    assert "events_event_aggregate_version" in plan
    assert "Seq Scan on events_event" not in plan
    assert "Hash Join" not in plan
