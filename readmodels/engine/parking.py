"""Parked events: those that a projection could not apply, and all later ones of their aggregates.

The checkpoint moves past them, so a bad event stops only its own aggregate. A retry applies the aggregate's
parked events from the first one on, under the checkpoint's lock. A discard is permanent: catching
up, rebuilds and checks honor it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from django.db import transaction
from msgspec import Struct

from payments import permissions
from payments.database import cursor, execute, require_transaction
from payments.domain.text import checked_text
from payments.events.reading import horizon
from readmodels.engine import applying, checkpoints
from readmodels.engine.applying import Spoiled
from readmodels.projections.kinds import Counters, Record, Rows

# Required to retry or discard parked events.
REPAIR: Final = "readmodels.repair_projections"
LONGEST_REASON: Final = 500

_SET_ASIDE: Final = """
SELECT aggregate_id, NULL::bigint FROM readmodels_parkedevent
 WHERE projection = %(projection)s AND aggregate_id = ANY(%(aggregates)s)
 UNION
SELECT NULL, position FROM readmodels_discardedevent
 WHERE projection = %(projection)s AND position = ANY(%(positions)s)
"""
_PARK: Final = """
INSERT INTO readmodels_parkedevent
       (projection, aggregate_id, position, version, event_type, error, traceback, attempts, parked_at)
SELECT %(projection)s, aggregate_id, position, version, event_type, error, traceback, attempts,
       clock_timestamp()
  FROM json_to_recordset(%(events)s::json) AS (
         aggregate_id uuid, position bigint, version int, event_type text, error text,
         traceback text, attempts int)
"""
_TAKE_OUT: Final = """
DELETE FROM readmodels_parkedevent
 WHERE projection = %(projection)s AND aggregate_id = %(aggregate)s
RETURNING position, attempts
"""
_AGGREGATE_OF: Final = """
SELECT aggregate_id FROM readmodels_parkedevent
 WHERE projection = %(projection)s AND position = %(position)s
"""
_AGGREGATES: Final = """
SELECT aggregate_id FROM readmodels_parkedevent
 WHERE projection = %(projection)s GROUP BY aggregate_id ORDER BY min(position)
"""
_DISCARD: Final = """
INSERT INTO readmodels_discardedevent
       (projection, aggregate_id, position, reason, discarded_by, discarded_at)
VALUES (%(projection)s, %(aggregate)s, %(position)s, %(reason)s, %(by)s, %(at)s)
"""

_DISCARDED: Final = """
SELECT projection, aggregate_id, position FROM readmodels_discardedevent
 WHERE projection = ANY(%s) ORDER BY projection, position
"""

_encoder: Final = msgspec.json.Encoder()


class NotParked(Exception):
    """The event is not parked: it never was, or was retried or discarded already."""


class _ParkedRow(Struct, frozen=True):
    aggregate_id: UUID
    position: int
    version: int
    event_type: str
    error: str
    traceback: str
    attempts: int


def apply_or_park(
    projection: Rows | Counters, records: Sequence[Record], *, attempts: int = 1
) -> int:
    """Apply the records, and park those that fail or follow a parked one. Return how many it parked.

    `attempts` includes this one. Must run inside the transaction that holds the checkpoint.
    """
    require_transaction()
    if projection.event_types is not None:  # a stream that is read again has all types
        records = [each for each in records if each.event.event_type in projection.event_types]
    parked, discarded = _set_aside(projection, records)
    waiting: list[Record] = []
    taken: list[Record] = []
    for record in records:
        if record.position not in discarded:
            (waiting if record.aggregate_id in parked else taken).append(record)
    rows = [_row(record) for record in waiting]
    for spoiled in applying.apply(projection, taken):
        rows += _rows(spoiled, attempts)
    if rows:
        events = _encoder.encode(rows).decode()
        execute(_PARK, {"projection": projection.name, "events": events})
    return len(rows)


def aggregates(projection: Rows | Counters) -> list[UUID]:
    """Return the aggregates with parked events, in the order of the log."""
    with cursor() as cur:
        return [row[0] for row in cur.execute(_AGGREGATES, {"projection": projection.name})]


def discarded(names: Sequence[str]) -> tuple[tuple[str, UUID, int], ...]:
    """Return the events that these projections never apply, as (projection, aggregate, position)."""
    with cursor() as cur:
        return tuple(cur.execute(_DISCARDED, (list(names),)).fetchall())


def retry(projection: Rows | Counters, aggregate_id: UUID, *, by: str) -> int:
    """Apply the aggregate's parked events. Return how many are parked again.

    `by` is an actor id. Waits for a running batch to end. Raises NotPermitted, NotParked,
    RebuildNeeded and UnreadableEvent.
    """
    permissions.require(by, REPAIR, operators=True)
    return _retry(projection, aggregate_id)


def discard(
    projection: Rows | Counters, position: int, *, reason: str, by: str, at: datetime
) -> int:
    """Discard the parked event permanently, and retry the later ones. Return how many stay parked.

    `by` is an actor id. Raises TextError for the reason, and what `retry` raises.
    """
    permissions.require(by, REPAIR, operators=True)
    reason = checked_text(reason, max_length=LONGEST_REASON)
    parameters: dict[str, object] = {"projection": projection.name, "position": position}
    with transaction.atomic():
        checkpoints.lock(projection)
        with cursor() as cur:
            parked = cur.execute(_AGGREGATE_OF, parameters).fetchone()
            if parked is None:
                raise NotParked(f"{projection.name} has not parked the event at {position}.")
            aggregate_id: UUID = parked[0]
            decision = {"aggregate": aggregate_id, "reason": reason, "by": by, "at": at}
            cur.execute(_DISCARD, parameters | decision)
        return _retry(projection, aggregate_id)


def _retry(projection: Rows | Counters, aggregate_id: UUID) -> int:
    with transaction.atomic():
        locked = checkpoints.lock(projection)
        with cursor() as cur:
            attempts: dict[int, int] = dict(
                cur.execute(
                    _TAKE_OUT, {"projection": projection.name, "aggregate": aggregate_id}
                ).fetchall()
            )
        if not attempts:
            raise NotParked(f"{projection.name} has no parked events of {aggregate_id}.")
        first = min(attempts)
        checkpoints.touch(projection)
        records = horizon.read_stream(
            projection.aggregate, aggregate_id, after=first - 1, upto=locked.position
        )
        return apply_or_park(projection, records, attempts=attempts[first] + 1)


def _set_aside(
    projection: Rows | Counters, records: Sequence[Record]
) -> tuple[set[UUID], set[int]]:
    """Return which of the records' aggregates have parked events, and which positions are discarded."""
    parameters = {
        "projection": projection.name,
        "aggregates": list({record.aggregate_id for record in records}),
        "positions": [record.position for record in records],
    }
    rows = execute(_SET_ASIDE, parameters)
    return (
        {aggregate_id for aggregate_id, _ in rows if aggregate_id is not None},
        {position for _, position in rows if position is not None},
    )


def _rows(spoiled: Spoiled, attempts: int) -> list[_ParkedRow]:
    first, *later = spoiled.records
    failed = msgspec.structs.replace(
        _row(first), error=spoiled.error, traceback=spoiled.traceback, attempts=attempts
    )
    return [failed, *map(_row, later)]


def _row(record: Record) -> _ParkedRow:
    """Return the row of an event that waits for an earlier one of its aggregate."""
    return _ParkedRow(
        record.aggregate_id, record.position, record.version, record.event.event_type, "", "", 0
    )
