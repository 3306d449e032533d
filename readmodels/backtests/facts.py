"""The facts of a backtest. Parts in the phase READ store them, parts in the phase FOLD read them.

Features depend on the earlier events of the same customer. A READ part stores what each event
changes in its customer's history. The customers are divided into slices, and each FOLD part folds
one slice.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from payments.database import cursor, execute, separate_connection
from payments.domain.backtest.cases import Case
from payments.domain.backtest.features import Change

_COLUMNS: Final = ("uuid", "int4", "uuid", "int8", "bytea")
_STORE: Final = """
COPY backtests_fact (backtest_id, slice, customer_id, position, body) FROM STDIN (FORMAT BINARY)
"""
_READ: Final = """
SELECT customer_id, position, body FROM backtests_fact
 WHERE backtest_id = %(backtest)s AND slice = %(slice)s ORDER BY customer_id, position
"""
_DELETE_SLICE: Final = (
    "DELETE FROM backtests_fact WHERE backtest_id = %(backtest)s AND slice = %(slice)s"
)
_DELETE: Final = """
WITH deleted AS (
       DELETE FROM backtests_fact WHERE ctid = ANY(ARRAY(
              SELECT ctid FROM backtests_fact WHERE backtest_id = %(backtest)s LIMIT %(limit)s))
       RETURNING 1)
SELECT count(*) FROM deleted
"""
# The backtests that left facts behind: they have ended or were deleted.
_LEFT_BEHIND: Final = """
WITH RECURSIVE present AS (
       (SELECT backtest_id FROM backtests_fact ORDER BY backtest_id LIMIT 1)
       UNION ALL
       SELECT (SELECT backtest_id FROM backtests_fact AS fact
                WHERE fact.backtest_id > present.backtest_id ORDER BY backtest_id LIMIT 1)
         FROM present WHERE present.backtest_id IS NOT NULL)
SELECT present.backtest_id FROM present LEFT JOIN backtests_backtest AS backtest ON backtest.id = backtest_id
 WHERE present.backtest_id IS NOT NULL AND coalesce(backtest.state NOT IN ('queued', 'running'), true)
"""
_AT_ONCE: Final = 20_000
_FETCHED_AT_ONCE: Final = 2_000


class Fact(Struct, frozen=True, gc=False):
    """What an event at a position changes in the history of a customer.

    `case` is the payment that begins at the position, if its evaluation needs the earlier history.
    """

    customer_id: UUID
    position: int
    change: Change
    case: Case | None = None


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple[Change, Case | None]).decode


def slice_of(customer_id: UUID, slices: int) -> int:
    """Return the slice of a customer. Ids are hashes, so slices are about equal in size."""
    return (customer_id.int >> 96) % slices


def store(backtest_id: UUID, facts: Iterable[Fact], *, slices: int) -> None:
    """Store the facts of a part in the caller's transaction."""
    # In the order of the index.
    placed = sorted(
        (slice_of(each.customer_id, slices), each.customer_id.int, each.position, each)
        for each in facts
    )
    with cursor() as cur, cur.copy(_STORE) as copy:
        copy.set_types(_COLUMNS)
        for slice_, _, position, fact in placed:
            body = _encode((fact.change, fact.case))
            copy.write_row((backtest_id, slice_, fact.customer_id, position, body))


def read(backtest_id: UUID, slice_: int) -> Iterator[Fact]:
    """Yield the facts of a slice, ordered by customer and then by log position."""
    with (
        separate_connection() as connection,
        connection.transaction(),
        connection.cursor(name="facts", binary=True) as cur,
    ):
        cur.itersize = _FETCHED_AT_ONCE
        cur.execute(_READ, {"backtest": backtest_id, "slice": slice_})
        for customer_id, position, body in cur:
            yield Fact(customer_id, position, *_decode(body))


def delete_slice(backtest_id: UUID, slice_: int) -> None:
    execute(_DELETE_SLICE, {"backtest": backtest_id, "slice": slice_})


def delete(backtest_id: UUID) -> None:
    """Delete all facts of a backtest, in short transactions."""
    while execute(_DELETE, {"backtest": backtest_id, "limit": _AT_ONCE}) == [(_AT_ONCE,)]:
        pass


def sweep() -> int:
    """Delete the facts of backtests that have ended, and return the number of these backtests."""
    ended: list[Any] = execute(_LEFT_BEHIND)
    for (backtest_id,) in ended:
        delete(backtest_id)
    return len(ended)
