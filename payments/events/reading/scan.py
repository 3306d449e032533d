"""Read the whole log stream by stream, in constant memory, for a rebuild."""

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

import psycopg
from msgspec import Struct

from payments.database import separate_connection
from payments.events.aggregates import AnyAggregate
from payments.events.reading.horizon import record
from payments.events.reading.records import RecordedEvent

# The order of the unique index keeps the events of a stream together.
_STREAMS: Final = """
SELECT aggregate_type, position, aggregate_id, version, event_type, schema_version, data::text
  FROM events_event
 WHERE position <= %(upto)s AND aggregate_id BETWEEN %(first)s AND %(last)s
       AND aggregate_type = ANY(%(aggregate_types)s::text[])
       AND (%(until)s::timestamptz IS NULL OR recorded_at <= %(until)s)
 ORDER BY aggregate_id, version
"""
# All rows are read, so plan for the total time, not for the first rows.
_PLAN_FOR_ALL: Final = "SET LOCAL cursor_tuple_fraction = 1"
# Folding a batch may take longer than the timeout. No other transaction waits for this one.
_STAY: Final = "SET LOCAL idle_in_transaction_session_timeout = 0"
_FETCHED_AT_ONCE: Final = 5_000
Row = tuple[Any, ...]

_IDS: Final = 1 << 128


class Span(Struct, frozen=True):
    """A range of stream ids, both ends included."""

    first: UUID = UUID(int=0)
    last: UUID = UUID(int=_IDS - 1)


ALL: Final = Span()


def spans(count: int) -> list[Span]:
    """Divide all streams into `count` spans. Random ids make the spans about equal in size."""
    bounds = [_IDS * n // count for n in range(count + 1)]
    return [Span(UUID(int=first), UUID(int=end - 1)) for first, end in pairwise(bounds)]


def streams(
    aggregates: Collection[AnyAggregate],
    upto: int,
    *,
    span: Span = ALL,
    until: datetime | None = None,
) -> Iterator[tuple[AnyAggregate, list[RecordedEvent[Any]]]]:
    """Yield each of the aggregates' streams in `span`: its events in order, up to position `upto`.

    `upto` must be a safe position. With `until`, yield the longest prefix of each stream that was recorded
    by then. Raises UnreadableEvent.
    """
    by_name = {each.name: each for each in aggregates}
    parameters = {
        "aggregate_types": list(by_name),
        "upto": upto,
        "first": span.first,
        "last": span.last,
        "until": until,
    }
    stream: list[RecordedEvent[Any]] = []
    current = None
    # One statement reads one snapshot of the log. It uses a separate connection, so that Django's
    # connection stays free for writes.
    with (
        separate_connection() as connection,
        connection.transaction(),
        connection.cursor(name="streams", binary=True) as cur,
    ):
        connection.execute(_PLAN_FOR_ALL)
        connection.execute(_STAY)
        cur.execute(_STREAMS, parameters)
        for row in _read_ahead(cur):
            aggregate = by_name[row[0]]
            each = record(aggregate, *row[1:])
            if current is not None and stream and stream[-1].aggregate_id != each.aggregate_id:
                yield current, stream
                stream = []
            current = aggregate
            # Clocks may step back. Leave out an event recorded by `until` if an earlier event of
            # its stream was recorded later.
            if until is None or each.version == len(stream) + 1:
                stream.append(each)
    if current is not None and stream:
        yield current, stream


def _read_ahead(cur: psycopg.ServerCursor[Row]) -> Iterator[Row]:
    """Yield the cursor's rows, fetching the next batch while the caller folds this one."""
    with ThreadPoolExecutor(1) as ahead:
        fetched = ahead.submit(cur.fetchmany, _FETCHED_AT_ONCE)
        while rows := fetched.result():
            fetched = ahead.submit(cur.fetchmany, _FETCHED_AT_ONCE)
            yield from rows
