"""Append seals to their table, and read them in order."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from payments.database import cursor
from payments.events.seals.seal import Seal

_APPEND: Final = """
INSERT INTO events_seal (number, statement, positions, digests, signature)
VALUES (%s, %s, %s, %s, %s) ON CONFLICT (number) DO NOTHING RETURNING number
"""
_LAST: Final = """
SELECT number, statement, signature FROM events_seal ORDER BY number DESC LIMIT 1
"""
_READ: Final = """
SELECT number, statement, positions, digests, signature FROM events_seal
 WHERE number > %(after)s ORDER BY number LIMIT %(limit)s
"""
_ONE: Final = """
SELECT number, statement, positions, digests, signature FROM events_seal WHERE number = %s
"""
# A seal takes up to about a hundred kilobytes.
_AT_ONCE: Final = 20


def append(new: Seal) -> bool:
    """Store the seal unless its number exists; return whether it was stored."""
    row = (new.number, new.statement, new.positions, new.digests, new.signature)
    with cursor() as cur:
        return cur.execute(_APPEND, row).fetchone() is not None


def last() -> tuple[int, str, bytes] | None:
    """Return number, statement and signature of the last seal."""
    with cursor() as cur:
        row = cur.execute(_LAST, binary=True).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def statement(number: int) -> str | None:
    """Return the statement of a seal as it is stored."""
    with cursor() as cur:
        row = cur.execute(
            "SELECT statement FROM events_seal WHERE number = %s", (number,)
        ).fetchone()
    return None if row is None else row[0]


def one(number: int) -> Seal | None:
    """Return a seal as it is stored."""
    with cursor() as cur:
        row = cur.execute(_ONE, (number,), binary=True).fetchone()
    return None if row is None else Seal(*row)


def identity() -> UUID:
    """Return the identity of the log. The first seal creates it."""
    with cursor() as cur:
        row = cur.execute("SELECT events_log_identity()").fetchone()
    assert row is not None, "a function returns a row"  # noqa: S101
    return UUID(str(row[0]))


def known_identity() -> UUID | None:
    """Return the identity of the log; None if it was never sealed, or the role may not read it."""
    with cursor() as cur:
        row = cur.execute("SELECT has_table_privilege('events_log', 'SELECT')").fetchone()
        if row is None or not row[0]:
            return None
        row = cur.execute("SELECT identity FROM events_log").fetchone()
    return None if row is None else row[0]


def read(*, after: int) -> Iterator[Seal]:
    """Yield the seals with a number > `after` in order, including those stored in the meantime."""
    while True:
        with cursor() as cur:
            parameters = {"after": after, "limit": _AT_ONCE}
            # Binary, because the digests are bytes.
            rows = cur.execute(_READ, parameters, binary=True).fetchall()
        if not rows:
            return
        for row in rows:
            yield Seal(*row)
        after = rows[-1][0]
