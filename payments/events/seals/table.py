"""The table of the seals: append one, read them in order."""

from collections.abc import Iterator
from typing import Final

from payments.events.database import cursor
from payments.events.seals.seal import Seal

_APPEND: Final = """
INSERT INTO events_seal (number, statement, positions, digests, signature)
VALUES (%s, %s, %s, %s, %s) ON CONFLICT (number) DO NOTHING RETURNING number
"""
_LAST: Final = "SELECT number, statement FROM events_seal ORDER BY number DESC LIMIT 1"
_READ: Final = """
SELECT number, statement, positions, digests, signature FROM events_seal
 WHERE number > %(after)s ORDER BY number LIMIT %(limit)s
"""
# A seal takes up to about a hundred kilobytes.
_AT_ONCE: Final = 20


def append(new: Seal) -> bool:
    """Whether it was stored: not if there is a seal with this number already."""
    row = (new.number, new.statement, new.positions, new.digests, new.signature)
    with cursor() as cur:
        return cur.execute(_APPEND, row).fetchone() is not None


def last() -> tuple[int, str] | None:
    """Number and statement of the last seal."""
    with cursor() as cur:
        row = cur.execute(_LAST).fetchone()
    return None if row is None else (row[0], row[1])


def read(*, after: int) -> Iterator[Seal]:
    """Yield the seals with a number > `after` in order, those too that are stored meanwhile."""
    while True:
        with cursor() as cur:
            parameters = {"after": after, "limit": _AT_ONCE}
            # Binary, for the sake of the digests.
            rows = cur.execute(_READ, parameters, binary=True).fetchall()
        if not rows:
            return
        for row in rows:
            yield Seal(*row)
        after = rows[-1][0]
