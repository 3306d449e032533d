"""Appends without the store, for tests that control the transactions themselves."""

from typing import Any, Final
from uuid import UUID, uuid4

import psycopg

from tests.support.example_events import encoded, initiated

Session = psycopg.Connection[tuple[Any, ...]]

INSERT: Final = """
INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type, schema_version, data,
                          metadata, occurred_at)
SELECT 'payment', %(stream)s, coalesce(max(version), 0) + 1, 'payment.initiated', 1, %(data)s, '{}',
       now() FROM events_event WHERE aggregate_id = %(stream)s
RETURNING position
"""
DATA: Final = encoded(initiated())


def insert(writer: Session, stream: UUID | None = None) -> int:
    """Append an event to the stream, or to a new one. Return its position."""
    row = writer.execute(INSERT, {"stream": stream or uuid4(), "data": DATA}).fetchone()
    assert row is not None
    return int(row[0])
