"""The three kinds of projections."""

from collections.abc import Callable, Mapping
from typing import Any, LiteralString
from uuid import UUID

from django.db.models import Model
from msgspec import Struct

from payments.aggregates import PAYMENT_AGGREGATE
from payments.events.aggregates import AnyAggregate
from payments.events.reading.records import RecordedEvent

Record = RecordedEvent[Any]


class Totals(Struct, frozen=True):
    """SQL expressions over the columns. A comparison adds `volume` up per `currency` and `day`."""

    day: LiteralString
    volume: LiteralString


def aggregate_id(record: Record) -> UUID:
    return record.aggregate_id


class Rows(Struct, frozen=True, kw_only=True):
    """Rows of folded events: `fold(row or None, record)` returns the row after the record.

    `key(record)` is the id of the row that the record changes, or None if it changes none. By
    default, each aggregate has one row. Events of several aggregates must not change the same row.

    `row` is a frozen struct whose fields are the model's columns, beginning with the row's id. Increase
    `version` whenever `fold` would fill the table differently.

    A projection reads the events of `aggregate`. If `event_types` is set, it reads only these
    types.
    """

    name: str
    version: int
    model: type[Model]
    row: type[Struct]
    fold: Callable[[Any, Record], Any]
    key: Callable[[Record], UUID | None] = aggregate_id
    aggregate: AnyAggregate = PAYMENT_AGGREGATE
    event_types: tuple[str, ...] | None = None
    totals: Totals | None = None


class Counters(Struct, frozen=True, kw_only=True):
    """Sums: `delta(record)` returns the amounts to add, by row key and column.

    `key` is a named tuple of the columns that identify a row, the primary key included. All other
    columns are counters. `aggregate` and `event_types` are as in `Rows`.
    """

    name: str
    version: int
    model: type[Model]
    key: type[tuple[Any, ...]]
    delta: Callable[[Record], Mapping[Any, Mapping[str, int]]]
    aggregate: AnyAggregate = PAYMENT_AGGREGATE
    event_types: tuple[str, ...] | None = None
    totals: Totals | None = None


class Entries(Struct, frozen=True, kw_only=True):
    """One row per event, selected from the columns of the log.

    `select` pairs each column with an SQL expression over the log's row `event`. The database does
    all the work.
    """

    name: str
    version: int
    model: type[Model]
    select: tuple[tuple[str, LiteralString], ...]
    totals: Totals | None = None


Projection = Rows | Counters | Entries
