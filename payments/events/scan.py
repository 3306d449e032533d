"""Read the whole log stream by stream, in constant memory: what a rebuild folds."""

from collections.abc import Iterator
from typing import Final

from payments.events.database import separate_connection
from payments.events.horizon import Record, record

# In the order of the unique index, so each aggregate's events come together. Binary and over a
# connection of its own: one statement, one snapshot, no cursor.
_COPY: Final = """
COPY (SELECT position, aggregate_id, version, event_type, schema_version, data::text
        FROM events_event WHERE position <= {upto} ORDER BY aggregate_id, version)
  TO STDOUT (FORMAT BINARY)
"""
_TYPES: Final = ("int8", "uuid", "int4", "varchar", "int2", "text")


def by_aggregate(upto: int) -> Iterator[Record]:
    """Yield every event with position <= `upto` (a safe one), by aggregate and version.

    Raises UnreadableEvent.
    """
    statement = _COPY.format(upto=int(upto)).encode()  # COPY takes no parameters
    with (
        separate_connection() as connection,
        connection.cursor() as cur,
        cur.copy(statement) as copy,
    ):
        copy.set_types(_TYPES)
        for row in copy.rows():
            yield record(*row)
