"""Read ranges of the log in order, and later events of the streams that begin in a range.

Most streams are short and written at once, so nearly all of their events are neighbors. Reading
events by position costs a quarter of reading them by stream. The caller decodes the rows with
`horizon.record`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from django.db import transaction
from msgspec import Struct

from payments.database import cursor, execute

# The arguments of `horizon.record` after the aggregate.
Row = tuple[int, UUID, int, str, int, str]

# Parallel workers would slow down appends, and would have to be started for each range.
_LIMITS: Final = """
SELECT set_config('max_parallel_workers_per_gather', '0', true),
       set_config('statement_timeout', '60s', true)
"""
_RANGE: Final = """
SELECT aggregate_type, position, aggregate_id, version, event_type, schema_version, data::text
  FROM events_event
 WHERE position > %(after)s AND position <= %(until)s AND aggregate_type = ANY(%(types)s::text[])
 ORDER BY position
"""
# OFFSET forces an index lookup for each stream. Without it, the planner may read the whole log for
# a join.
_LATER: Final = """
SELECT later.*
  FROM unnest(%(streams)s::uuid[]) AS begun (aggregate_id)
 CROSS JOIN LATERAL (
    SELECT position, aggregate_id, version, event_type, schema_version, data::text
      FROM events_event
     WHERE aggregate_id = begun.aggregate_id AND position > %(until)s AND position <= %(upto)s
    OFFSET 0
  ) AS later
 ORDER BY later.aggregate_id, later.version
"""
_FIRST_VERSION: Final = 1
_RECORDED: Final = """
SELECT position, recorded_at FROM events_event WHERE position <= %(upto)s ORDER BY position DESC LIMIT 1
"""


class Range(Struct, frozen=True):
    """The events of a range with their aggregate types, and later events of its streams."""

    events: list[tuple[str, Row]]
    later: list[Row]


def read_range(*, after: int, until: int, upto: int, types: Sequence[str]) -> Range:
    """Read the events with after < position <= until, in order, of aggregates of these types.

    `later` has the events up to `upto` of the streams that begin in the range and have the first
    type. They are ordered by stream and version. `upto` must be a safe position.
    """
    parameters: dict[str, Any] = {
        "after": after,
        "until": until,
        "upto": upto,
        "types": list(types),
    }
    with transaction.atomic(), cursor() as cur:
        cur.execute(_LIMITS)
        # Plan for these positions, because a generic plan could read the whole log.
        events = cur.execute(_RANGE, parameters, prepare=False, binary=True).fetchall()
        parameters["streams"] = [
            row[2] for row in events if row[3] == _FIRST_VERSION and row[0] == types[0]
        ]
        later = cur.execute(_LATER, parameters, prepare=False, binary=True).fetchall()
    return Range([(row[0], row[1:]) for row in events], cast("list[Row]", later))


def recorded_at(upto: int) -> datetime | None:
    """Return when the last event up to a position was recorded, None if there is none."""
    found = execute(_RECORDED, {"upto": upto})
    return found[0][1] if found else None


def position_at(at: datetime, *, upto: int) -> int:
    """Return the last position up to `upto` whose event was recorded before `at`, 0 if there is none.

    This is a binary search. It works because events are recorded in the order of positions, except
    for concurrent appends.
    """
    first, last = 0, upto
    while first < last:
        middle = (first + last + 1) // 2
        found = execute(_RECORDED, {"upto": middle})
        if found and found[0][1] >= at:
            last = middle - 1
        else:
            first = middle
    return first
