"""Rebuild read models from the log: one pass, stream by stream, in constant memory.

The tables are refilled in one transaction that holds the checkpoints: readers see the old rows
until the new ones are complete, and catching up goes on from where the rebuild ended.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from django.db import transaction
from msgspec import Struct

from payments.events import horizon, scan
from payments.events.database import cursor
from payments.events.horizon import Record
from readmodels import tables
from readmodels.projections.forms import Counters, Entries, Projection, Rows

# How many events pass between two calls of `progress`.
STEP: Final = 5_000
# How many rows are written at once.
_CHUNK: Final = 5_000

_LOCK: Final = """
INSERT INTO readmodels_checkpoint (name, version, position, updated_at, error)
VALUES (%s, %s, 0, clock_timestamp(), '')
ON CONFLICT (name) DO UPDATE SET version = EXCLUDED.version, error = ''
"""
_MOVE: Final = """
UPDATE readmodels_checkpoint SET position = %s, updated_at = clock_timestamp() WHERE name = %s
"""


def rebuild(
    projections: Sequence[Projection], *, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Refill the projections' tables from the log; return the number of events read.

    Waits for batches that are under way; later ones wait for the rebuild. `progress` gets the
    number of events read so far. Raises HorizonHeld, UnreadableEvent, and whatever a projection
    raises.
    """
    events = last = 0
    with transaction.atomic():
        # Always in the same order, so that two rebuilds cannot wait for each other.
        for projection in sorted(projections, key=lambda projection: projection.name):
            _execute(_LOCK, (projection.name, projection.version))
            tables.delete_all(projection)
        upto = horizon.safe_position()
        for projection in projections:
            if isinstance(projection, Entries):
                tables.insert_entries(projection, after=0, upto=upto, limit=upto)
        sinks = [_sink(each) for each in projections if not isinstance(each, Entries)]
        for record in scan.by_aggregate(upto):
            for sink in sinks:
                sink.take(record)
            events += 1
            last = max(last, record.position)
            if events % STEP == 0:
                progress(events)
        for sink in sinks:
            sink.finish()
        for projection in projections:
            _execute(_MOVE, (last, projection.name))
    progress(events)
    return events


class _RowSink:
    """Folds the events of one aggregate after the other, and writes the rows a chunk at a time."""

    def __init__(self, projection: Rows) -> None:
        self._projection = projection
        self._aggregate_id: UUID | None = None
        self._row: Struct | None = None
        self._rows: list[Struct] = []

    def take(self, record: Record) -> None:
        if record.aggregate_id != self._aggregate_id:
            self._next(record.aggregate_id)
        self._row = self._projection.fold(self._row, record)

    def finish(self) -> None:
        self._next(None)
        tables.copy_rows(self._projection, self._rows)

    def _next(self, aggregate_id: UUID | None) -> None:
        if self._row is not None:
            self._rows.append(self._row)
        self._aggregate_id, self._row = aggregate_id, None
        if len(self._rows) == _CHUNK:
            tables.copy_rows(self._projection, self._rows)
            self._rows.clear()


class _CounterSink:
    """Adds up in memory: as much as the table will have, however many events there are."""

    def __init__(self, projection: Counters) -> None:
        self._projection = projection
        self._sums: dict[Any, dict[str, int]] = {}

    def take(self, record: Record) -> None:
        tables.add_up(self._sums, self._projection.delta(record))

    def finish(self) -> None:
        tables.add_counters(self._projection, self._sums)


def _sink(projection: Rows | Counters) -> _RowSink | _CounterSink:
    return _RowSink(projection) if isinstance(projection, Rows) else _CounterSink(projection)


def _execute(statement: LiteralString, parameters: tuple[object, ...]) -> None:
    with cursor() as cur:
        cur.execute(statement, parameters, prepare=True)
