"""Read ranges of the log in order, and the later events of streams that begin in them.

Most streams are short and written at once, so nearly all of their events are neighbors. Reading them by
position costs a quarter of reading them by stream, and touches nothing but the range. The caller decodes the
rows with `horizon.record`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from django.db import transaction
from msgspec import Struct

from payments.database import cursor, execute

# What `horizon.record` takes after the aggregate.
Row = tuple[int, UUID, int, str, int, str]

# Parallel workers would take time from appends, and start for each range.
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
_LATER: Final = """
SELECT later.position, aggregate_id, later.version, later.event_type, later.schema_version,
       later.data::text
  FROM events_event AS first JOIN events_event AS later USING (aggregate_id)
 WHERE first.position > %(after)s AND first.position <= %(until)s AND first.version = 1
   AND first.aggregate_type = (%(types)s::text[])[1]
   AND later.position > %(until)s AND later.position <= %(upto)s
 ORDER BY aggregate_id, later.version
"""
_RECORDED: Final = """
SELECT position, recorded_at FROM events_event WHERE position <= %(upto)s ORDER BY position DESC LIMIT 1
"""


class Range(Struct, frozen=True):
    """The events of a range, each with the type of its aggregate, and the later ones of its streams."""

    events: list[tuple[str, Row]]
    later: list[Row]


def read_range(*, after: int, until: int, upto: int, types: Sequence[str]) -> Range:
    """Read the events with after < position <= until, in order, of aggregates of these types.

    The later ones are those up to `upto` of the streams of the first type that begin in the range. Those of
    a stream are in order. `upto` must be a safe position.
    """
    parameters = {"after": after, "until": until, "upto": upto, "types": list(types)}
    with transaction.atomic(), cursor() as cur:
        cur.execute(_LIMITS)
        # Planned for these positions: a plan for any range could read the whole log.
        events = cur.execute(_RANGE, parameters, prepare=False, binary=True).fetchall()
        later = cur.execute(_LATER, parameters, prepare=False, binary=True).fetchall()
    return Range([(row[0], row[1:]) for row in events], cast("list[Row]", later))


def recorded_at(upto: int) -> datetime | None:
    """Return when the last event up to a position was recorded, None if there is none."""
    found = execute(_RECORDED, {"upto": upto})
    return found[0][1] if found else None


def position_at(at: datetime, *, upto: int) -> int:
    """Return the last position up to `upto` whose event was recorded before `at`, 0 if there is none.

    A binary search: positions follow the recording times, but for appends of the same moment.
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
