"""The SQL that reads and writes the tables of projections.

Rows travel as one JSON document, which PostgreSQL turns into the table's row type: one parameter for
any set of columns, arrays included. A rebuild writes whole tables by COPY.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
from django.db import connection
from msgspec import Struct
from msgspec.structs import astuple
from psycopg import sql

from payments.database import cursor, execute
from readmodels.projections.kinds import Counters, Entries, Projection, Rows

_encoder: Final = msgspec.json.Encoder()

_SELECT: Final[LiteralString] = "SELECT {columns} FROM {table} WHERE {key} = ANY(%(keys)s)"

_INSERT: Final[LiteralString] = """
INSERT INTO {table} AS old ({columns})
SELECT {columns} FROM json_populate_recordset(NULL::{table}, %(rows)s::json)
ON CONFLICT ({key}) DO UPDATE SET {changes}
"""

_INSERT_SUMS: Final[LiteralString] = """
INSERT INTO {table} ({columns}) SELECT {sums} FROM {parts} GROUP BY {keys}
"""

# Copies the next events inside the database, so that no row passes through this process.
_SELECT_ENTRIES: Final[LiteralString] = """
WITH batch AS MATERIALIZED (
       SELECT * FROM events_event
        WHERE position > %(after)s AND position <= %(upto)s ORDER BY position LIMIT %(limit)s),
     stored AS (
       INSERT INTO {table} ({columns}) SELECT {select} FROM batch AS event ORDER BY event.position)
SELECT count(*), max(position),
       %(after)s = 0 OR EXISTS (SELECT FROM events_event WHERE position = %(after)s) FROM batch
"""


_ALL_ENTRIES: Final[LiteralString] = """
INSERT INTO {table} ({columns})
SELECT {select} FROM events_event AS event
 WHERE position <= %(upto)s AND (%(until)s::timestamptz IS NULL OR recorded_at <= %(until)s)
 ORDER BY event.position
"""


def columns(projection: Projection) -> tuple[str, ...]:
    """Return the columns that the projection fills. Those of `Rows` begin with the row's id."""
    match projection:
        case Rows():
            return projection.row.__struct_fields__
        case Counters():
            return (*_key_columns(projection), *counter_columns(projection))
        case Entries():
            return tuple(column for column, _ in projection.select)


def load_rows(projection: Rows, keys: Iterable[UUID]) -> dict[UUID, Struct]:
    """Return the existing rows, by key."""
    names = columns(projection)
    return {
        values[0]: projection.row(**dict(zip(names, values, strict=True)))
        for values in execute(_select(projection), {"keys": list(keys)})
    }


def save_rows(projection: Rows, rows: Iterable[Struct]) -> None:
    """Insert or replace the rows, in one statement."""
    _save(projection, list(rows))


def copy_rows(projection: Rows, rows: Iterable[Struct]) -> None:
    """Insert rows that are all new, several times as fast as `save_rows`. For rebuilds."""
    _copy("COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)", projection, map(astuple, rows))


def delete_all(projection: Projection) -> None:
    """Delete all rows of the table."""
    _execute("DELETE FROM {table}", projection)


def add_up(sums: dict[Any, dict[str, int]], deltas: Mapping[Any, Mapping[str, int]]) -> None:
    """Add one event's amounts to `sums`."""
    for key, amounts in deltas.items():
        row = sums.setdefault(key, {})
        for column, amount in amounts.items():
            row[column] = row.get(column, 0) + amount


def add_counters(projection: Counters, sums: Mapping[Any, Mapping[str, int]]) -> None:
    """Add the sums to their rows, in one statement. Missing rows begin at zero."""
    _save(projection, [counter_row(projection, key, amounts) for key, amounts in sums.items()])


def counter_row(projection: Counters, key: Any, amounts: Mapping[str, int]) -> dict[str, Any]:
    """Return a whole row in the order of `columns`, with zero for missing amounts."""
    return {**key._asdict(), **dict.fromkeys(counter_columns(projection), 0), **amounts}


def create_parts(projection: Counters) -> None:
    """Create a table for sums over parts of the log, which `sum_parts` adds up."""
    _execute(
        "CREATE UNLOGGED TABLE {parts} AS SELECT {columns} FROM {table} WITH NO DATA", projection
    )


def copy_parts(projection: Counters, sums: Mapping[Any, Mapping[str, int]]) -> None:
    """Write the sums over a part of the log. Other parts may have the same keys."""
    names = counter_columns(projection)
    rows = ((*key, *(amounts.get(name, 0) for name in names)) for key, amounts in sums.items())
    _copy("COPY {parts} ({columns}) FROM STDIN (FORMAT BINARY)", projection, rows)


def sum_parts(projection: Counters) -> None:
    """Fill the empty table with the sums over all parts, then drop the parts."""
    keys = [sql.Identifier(name) for name in _key_columns(projection)]
    sums = [sql.SQL("sum({})").format(sql.Identifier(name)) for name in counter_columns(projection)]
    comma = sql.SQL(", ")
    _execute(_INSERT_SUMS, projection, sums=comma.join([*keys, *sums]), keys=comma.join(keys))
    drop_parts(projection)


def drop_parts(projection: Counters) -> None:
    _execute("DROP TABLE {parts}", projection)


def insert_all_entries(projection: Entries, *, upto: int, until: datetime | None = None) -> None:
    """Insert the entries of all events up to the safe position `upto` that were recorded by `until`."""
    statement = _compose(_ALL_ENTRIES, projection, select=_selected(projection))
    with cursor() as cur:
        cur.execute(statement, {"upto": upto, "until": until})


def insert_entries(
    projection: Entries, *, after: int, upto: int, limit: int
) -> tuple[int, int | None, bool]:
    """Insert the entries of at most `limit` events. Return their number and the last one's position.

    The third value is False if the log does not hold the event at `after`.
    """
    parameters = {"after": after, "upto": upto, "limit": limit}
    ((count, last, follows),) = execute(_select_entries(projection), parameters)
    return count, last, follows


def _save(projection: Projection, rows: list[Any]) -> None:
    if rows:
        execute(_upsert(projection), {"rows": _encoder.encode(rows).decode()})


def _copy(
    statement: LiteralString, projection: Projection, rows: Iterable[tuple[Any, ...]]
) -> None:
    # Binary is five times as fast as text, but needs values of exactly the column's type.
    with cursor() as cur, cur.copy(_compose(statement, projection)) as copy:
        copy.set_types(_types(projection))
        for row in rows:
            copy.write_row(row)


@cache
def _types(projection: Projection) -> list[str]:
    fields = {field.attname: field for field in projection.model._meta.local_concrete_fields}
    declared = (str(fields[name].db_type(connection)) for name in columns(projection))
    return [re.sub(r"\(\d+\)", "", each) for each in declared]  # varchar(3) is a varchar


# The statements that every batch runs are composed only once.


@cache
def _select(projection: Rows) -> str:
    return _compose(_SELECT, projection).as_string()


@cache
def _select_entries(projection: Entries) -> str:
    return _compose(_SELECT_ENTRIES, projection, select=_selected(projection)).as_string()


def _selected(projection: Entries) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL(expression) for _, expression in projection.select)


@cache
def _upsert(projection: Projection) -> str:
    _, *others = columns(projection)
    if isinstance(projection, Counters):
        others = list(counter_columns(projection))
        change = sql.SQL("{0} = old.{0} + EXCLUDED.{0}")
    else:
        change = sql.SQL("{0} = EXCLUDED.{0}")
    changes = sql.SQL(", ").join(change.format(sql.Identifier(name)) for name in others)
    return _compose(_INSERT, projection, changes=changes).as_string()


def _execute(statement: LiteralString, projection: Projection, **parts: sql.Composable) -> None:
    with cursor() as cur:
        cur.execute(_compose(statement, projection, **parts))


def _compose(
    statement: LiteralString, projection: Projection, **parts: sql.Composable
) -> sql.Composed:
    names = [sql.Identifier(name) for name in columns(projection)]
    table = sql.Identifier(projection.model._meta.db_table)
    parts["parts"] = sql.Identifier(f"{projection.model._meta.db_table}_parts")
    key = [sql.Identifier(field.attname) for field in projection.model._meta.pk_fields]
    return sql.SQL(statement).format(
        table=table, columns=sql.SQL(", ").join(names), key=sql.SQL(", ").join(key), **parts
    )


def _key_columns(projection: Counters) -> tuple[str, ...]:
    fields: tuple[str, ...] = projection.key._fields  # type: ignore[attr-defined]
    return fields


@cache
def counter_columns(projection: Counters) -> tuple[str, ...]:
    """Return the counter columns: all that are not part of the key."""
    keys = _key_columns(projection)
    names = (field.attname for field in projection.model._meta.local_concrete_fields)
    return tuple(name for name in names if name not in keys)
