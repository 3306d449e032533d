"""The three forms a projection can have."""

from collections.abc import Callable, Mapping
from typing import Any, LiteralString

from django.db.models import Model
from msgspec import Struct

from payments.aggregates import RecordedPaymentEvent


class Totals(Struct, frozen=True):
    """What a comparison adds up per `currency` (a column) and day: SQL expressions over the columns."""

    day: LiteralString
    volume: LiteralString


class Rows(Struct, frozen=True, kw_only=True):
    """One row per aggregate: `fold(row or None, record)` returns the row after the record.

    `row` is a frozen struct whose fields are the model's columns, the aggregate's id first.
    Give `version` the next number whenever `fold` would fill the table differently.
    """

    name: str
    version: int
    model: type[Model]
    row: type[Struct]
    fold: Callable[[Any, RecordedPaymentEvent], Any]
    totals: Totals | None = None


class Counters(Struct, frozen=True, kw_only=True):
    """Sums: `delta(record)` returns what to add to which columns of which rows.

    `key` is a named tuple whose fields are the columns that identify a row, the primary key among
    them; all other columns are counters.
    """

    name: str
    version: int
    model: type[Model]
    key: type[tuple[Any, ...]]
    delta: Callable[[RecordedPaymentEvent], Mapping[Any, Mapping[str, int]]]
    totals: Totals | None = None


class Entries(Struct, frozen=True, kw_only=True):
    """One row per event that is a plain selection of what the log stores.

    `select` pairs each column with an SQL expression over the log's row `event`. The database does
    it alone, since there is nothing to decide.
    """

    name: str
    version: int
    model: type[Model]
    select: tuple[tuple[str, LiteralString], ...]
    totals: Totals | None = None


Projection = Rows | Counters | Entries
