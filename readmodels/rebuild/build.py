"""Fill empty tables from the log: several processes fold spans of streams, indexes come last.

Streams that need parking or have a discarded event are left out of the bulk build, and applied in
ordinary batches afterwards. If the database refuses a value of a projection, the whole projection
is filled in ordinary batches, because a sum does not show which event contributed the value.
"""

import gc
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, assert_never
from uuid import UUID

from django.db import transaction
from msgspec import Struct
from psycopg import sql

from payments.database import cursor
from payments.events.aggregates import AnyAggregate
from payments.events.reading import scan
from payments.events.reading.scan import Span
from readmodels.engine import applying, parking, runner, storage
from readmodels.projections import PROJECTIONS
from readmodels.projections.kinds import Counters, Entries, Projection, Record, Rows
from readmodels.rebuild import catalogue, pool, schemas
from readmodels.rebuild.catalogue import Definition

# The rebuild's own checkpoints and parked events, until the swap.
_OWN: Final = ("readmodels_checkpoint", "readmodels_parkedevent")
# Rows, or keys of counters, that a process collects before it writes them.
_CHUNK: Final = 20_000
_EVENTS_PER_TASK: Final = 50_000

_OWN_TABLE: Final = sql.SQL("CREATE TABLE {own} (LIKE {live} INCLUDING ALL)")
_BEGIN: Final = """
INSERT INTO readmodels_checkpoint (name, version, position, updated_at, error)
VALUES (%s, %s, %s, clock_timestamp(), '')
"""
_LAST: Final = "SELECT coalesce(max(position), 0) FROM events_event WHERE position <= %s"


class Folded(Struct, frozen=True):
    """The result of a span.

    `left_out` has the streams for ordinary batches, by projection. `refused` has the projections
    with a refused value.
    """

    events: int
    left_out: Mapping[str, Sequence[UUID]]
    refused: frozenset[str]


class Built(Struct, frozen=True):
    """The number of events read, and the definitions of the tables by name."""

    events: int
    definitions: Mapping[str, Definition]


class Plan(Struct, frozen=True):
    """The tables to fill, their schema, and the events to fill them from."""

    schema: str
    live: str
    names: tuple[str, ...]
    upto: int  # a safe position
    discarded: tuple[tuple[str, UUID, int], ...]  # the result of parking.discarded(names)
    until: datetime | None = None  # only events recorded by then

    @property
    def projections(self) -> list[Projection]:
        return [PROJECTIONS[name] for name in self.names]


def fill(plan: Plan, *, workers: int, progress: Callable[[int], None] = lambda _: None) -> Built:
    """Create and fill the tables of `plan` with `workers` processes.

    `progress` receives the number of events read so far, also after each table that got its indexes. Raises
    UnreadableEvent, CatalogueChanged, errors of the database, and what `progress` raises.
    """
    definitions = _create_tables(plan)
    folding = [each.name for each in plan.projections if not isinstance(each, Entries)]
    left_out: dict[str, set[UUID]] = {name: set() for name in folding}
    for name, aggregate_id, _ in plan.discarded:
        left_out[name].add(aggregate_id)
    refused: set[str] = set()
    events = 0
    with pool.started(workers) as executor:
        if folding:
            parts = scan.spans(max(workers, plan.upto // _EVENTS_PER_TASK))
            known = {name: frozenset(streams) for name, streams in left_out.items()}
            tasks: list[tuple[Any, ...]] = [(plan, tuple(folding), part, known) for part in parts]
            for folded in pool.each(executor, _fold, tasks):
                events += folded.events
                progress(events)
                refused |= folded.refused
                for name, streams in folded.left_out.items():
                    left_out[name].update(streams)
        tasks = [
            (plan, projection.name, definitions[_table(projection)])
            for projection in plan.projections
        ]
        for failed in pool.each(executor, _finish, tasks):
            progress(events)  # it may interrupt the rebuild
            refused.update(filter(None, [failed]))
    last = _last_position(plan.upto)
    for projection in plan.projections:
        with schemas.inside(plan.schema):
            _execute(_BEGIN, (projection.name, projection.version, last))
            if projection.name in refused:
                storage.delete_all(projection)
        if not isinstance(projection, Entries):
            spans = [Span(each, each) for each in sorted(left_out[projection.name])]
            _apply_in_batches(plan, projection, [scan.ALL] if projection.name in refused else spans)
    for table in definitions:
        catalogue.check(table, definitions[table], schema=plan.schema)
        _analyze(plan.schema, table)
    return Built(events, definitions)


def _create_tables(plan: Plan) -> dict[str, Definition]:
    schemas.create(plan.schema)
    with transaction.atomic():
        definitions = {}
        for projection in plan.projections:
            table = _table(projection)
            definitions[table] = catalogue.describe(plan.live, table)
            catalogue.create(table, definitions[table], live=plan.live, schema=plan.schema)
        for name in _OWN:
            own, live = sql.Identifier(plan.schema, name), sql.Identifier(plan.live, name)
            _execute(_OWN_TABLE.format(own=own, live=live))
    with schemas.inside(plan.schema):
        for projection in plan.projections:
            if isinstance(projection, Counters):
                storage.create_parts(projection)
    return definitions


def _fold(
    plan: Plan, names: Sequence[str], span: Span, known: Mapping[str, frozenset[UUID]]
) -> Folded:
    """Fold the streams of one span for all projections in one pass. Runs in a process of the pool."""
    sinks = [_sink(PROJECTIONS[name], known[name]) for name in names]
    takers: dict[AnyAggregate, list[_Sink]] = {}
    for sink in sinks:
        takers.setdefault(sink.projection.aggregate, []).append(sink)
    events = 0
    with _without_collecting(), schemas.inside(plan.schema):
        for aggregate, stream in scan.streams(
            tuple(takers), plan.upto, span=span, until=plan.until
        ):
            events += len(stream)
            for sink in takers[aggregate]:
                sink.take(stream)
        for sink in sinks:
            sink.flush()
    return Folded(
        events,
        {sink.projection.name: sink.left_out for sink in sinks},
        frozenset(sink.projection.name for sink in sinks if sink.refused),
    )


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Turn the garbage collector off. Searching the waiting rows for cycles takes a quarter of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Sink(ABC):
    """A receiver of streams that writes their results in chunks."""

    def __init__(self, projection: Any, known: frozenset[UUID]) -> None:
        self.projection = projection
        self.left_out: list[UUID] = []
        self.refused = False
        self._known = known

    def take(self, stream: list[Record]) -> None:
        aggregate_id = stream[0].aggregate_id
        if self.refused or aggregate_id in self._known:
            return
        try:
            size = self._apply(stream)
        except Exception:  # noqa: BLE001 - raised again and parked in the ordinary batch
            self.left_out.append(aggregate_id)
            return
        if size >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        try:
            with transaction.atomic():
                self._write()
        except applying.UNSTORABLE:
            self.refused = True  # ordinary batches find the refused value

    @abstractmethod
    def _apply(self, stream: list[Record]) -> int:
        """Add the stream's results, all or nothing. Return the number of rows to write."""

    @abstractmethod
    def _write(self) -> None: ...


class _RowSink(_Sink):
    def __init__(self, projection: Rows, known: frozenset[UUID]) -> None:
        super().__init__(projection, known)
        self._fold, self._key = projection.fold, projection.key
        self._rows: list[Struct] = []

    def _apply(self, stream: list[Record]) -> int:
        rows: dict[UUID, Any] = {}
        for record in stream:
            key = self._key(record)
            if key is not None:
                rows[key] = self._fold(rows.get(key), record)
        self._rows += rows.values()
        return len(self._rows)

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        storage.copy_rows(self.projection, rows)


class _CounterSink(_Sink):
    def __init__(self, projection: Counters, known: frozenset[UUID]) -> None:
        super().__init__(projection, known)
        self._delta = projection.delta
        self._sums: dict[Any, dict[str, int]] = {}

    def _apply(self, stream: list[Record]) -> int:
        for deltas in [self._delta(record) for record in stream]:
            storage.add_up(self._sums, deltas)
        return len(self._sums)

    def _write(self) -> None:
        sums, self._sums = self._sums, {}
        storage.copy_parts(self.projection, sums)


def _sink(projection: Projection, known: frozenset[UUID]) -> _Sink:
    if isinstance(projection, Rows):
        return _RowSink(projection, known)
    assert isinstance(projection, Counters), "entries are not folded"  # noqa: S101
    return _CounterSink(projection, known)


def _finish(plan: Plan, name: str, definition: Definition) -> str | None:
    """Complete one table. Return `name` if the database refused its sums. Runs in a process of the pool."""
    projection = PROJECTIONS[name]
    refused = None
    with schemas.inside(plan.schema):
        match projection:
            case Counters():
                try:
                    with transaction.atomic():
                        storage.sum_parts(projection)
                except applying.UNSTORABLE:
                    storage.drop_parts(projection)
                    refused = name
            case Entries():
                storage.insert_all_entries(projection, upto=plan.upto, until=plan.until)
            case Rows():
                pass  # complete already
            case _:
                assert_never(projection)
        catalogue.finish(_table(projection), definition, schema=plan.schema)
    return refused


def _apply_in_batches(plan: Plan, projection: Rows | Counters, spans: Iterable[Span]) -> None:
    """Apply whole streams in ordinary batches, which park events that fail."""
    for span in spans:
        waiting: list[Record] = []
        for _, stream in scan.streams(
            (projection.aggregate,), plan.upto, span=span, until=plan.until
        ):
            waiting += stream
            if len(waiting) >= runner.BATCH:
                _apply_or_park(plan, projection, waiting)
                waiting = []
        _apply_or_park(plan, projection, waiting)


def _apply_or_park(plan: Plan, projection: Rows | Counters, records: list[Record]) -> None:
    with schemas.inside(plan.schema):
        parking.apply_or_park(projection, records)


def advance(schema: str, projection: Projection, *, upto: int) -> None:
    """Bring the tables in `schema` to the safe position `upto` in ordinary batches."""
    more = True
    while more:
        with schemas.inside(schema):
            more = runner.advance(projection, upto=upto).full


def _last_position(upto: int) -> int:
    """Return the position of the last event up to `upto`.

    A checkpoint must not be at the horizon, because a sequence can assign that position again after
    a crash.
    """
    with cursor() as cur:
        row = cur.execute(_LAST, (upto,)).fetchone()
    assert row is not None, "an aggregate without GROUP BY returns a row"  # noqa: S101
    return int(row[0])


def _analyze(schema: str, table: str) -> None:
    """Collect statistics for the planner, and the visibility map, before the table has readers."""
    _execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(schema, table)))


def _table(projection: Projection) -> str:
    return str(projection.model._meta.db_table)


def _execute(statement: Any, parameters: tuple[object, ...] = ()) -> None:
    with cursor() as cur:
        cur.execute(statement, parameters)
