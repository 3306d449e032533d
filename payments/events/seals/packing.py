"""Read events and the seals that cover them, for packs that `verify_pack.py` in this folder verifies."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from payments.database import cursor, execute
from payments.events.seals import seal, table
from payments.events.seals.seal import Statement
from payments.events.seals.sealing import DamagedSeal

_STREAM: Final = f"""
SELECT position, version, {seal.LEAF_TEXT} FROM events_event
 WHERE aggregate_id = %(aggregate_id)s AND position <= %(upto)s ORDER BY version
"""  # noqa: S608 - only constants
# Read at most one event more than was sealed. The extra event makes the verifier refuse the seal.
_LEAVES: Final = f"""
SELECT pg_catalog.string_agg(leaf, ''::bytea ORDER BY position)
  FROM (SELECT position, {seal.LEAF} AS leaf FROM events_event
         WHERE position BETWEEN %(first)s AND %(last)s ORDER BY position LIMIT %(events)s::int + 1
       ) AS found
"""  # noqa: S608 - only constants
_LAST: Final = 2**63 - 1


class StoredEvent(Struct, frozen=True):
    """An event as the log stores it. `stored` is the text that is hashed."""

    position: int
    version: int
    stored: str


class PackedSeal(Struct, frozen=True):
    """A seal with the whole leaf of each event that it covers. Bytes are hexadecimal."""

    statement: str
    positions: str
    leaves: str
    signature: str


def stream(aggregate_id: UUID, *, upto: int = _LAST) -> list[StoredEvent]:
    """Return the events of a stream up to a position of the log, in one round trip."""
    return [
        StoredEvent(*row) for row in execute(_STREAM, {"aggregate_id": aggregate_id, "upto": upto})
    ]


def seals(positions: Iterable[int]) -> list[PackedSeal]:
    """Return the seals that cover these positions, which must ascend. Positions without a seal are left out.

    Raises DamagedSeal if a seal is missing or cannot be read. Nothing is verified.
    """
    row = table.last()
    highest = row[0] if row else 0
    found: list[PackedSeal] = []
    covered, lowest = 0, 1
    for position in positions:
        if position <= covered:
            continue
        number = _covering(position, lowest, highest)
        if number is None:
            break
        packed, statement = _packed(number)
        found.append(packed)
        covered, lowest = statement.last, number + 1
    return found


def _covering(position: int, lowest: int, highest: int) -> int | None:
    """Return the number of the first seal that ends at the position or later.

    This is a binary search, because there is a seal for every minute with events.
    """
    if lowest > highest or _statement(highest).last < position:
        return None
    while lowest < highest:
        middle = (lowest + highest) // 2
        if _statement(middle).last < position:
            lowest = middle + 1
        else:
            highest = middle
    return lowest


def _statement(number: int) -> Statement:
    text = table.statement(number)
    if text is None:
        raise DamagedSeal(number)
    return _decoded(number, text)


def _decoded(number: int, text: str) -> Statement:
    try:
        return seal.decode(text)
    except msgspec.DecodeError as error:
        raise DamagedSeal(number) from error


def _packed(number: int) -> tuple[PackedSeal, Statement]:
    stored = table.one(number)
    if stored is None:
        raise DamagedSeal(number)
    statement = _decoded(number, stored.statement)
    parameters = {name: getattr(statement, name) for name in ("first", "last", "events")}
    with cursor() as cur:
        # Binary, because the leaves are bytes.
        row = cur.execute(_LEAVES, parameters, binary=True).fetchone()
    leaves = bytes(row[0]) if row and row[0] is not None else b""
    packed = PackedSeal(stored.statement, stored.positions, leaves.hex(), stored.signature.hex())
    return packed, statement
