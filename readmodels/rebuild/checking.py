"""Compare the rows of random streams with a fold of their events.

This is quick on any log, but does not find rows without events. `rebuild(..., dry_run=True)`
compares everything, sums included.
"""

import random
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from msgspec import Struct
from msgspec.structs import asdict

from payments.database import cursor
from payments.events.reading import horizon
from readmodels.engine import parking, storage
from readmodels.projections.kinds import Rows
from readmodels.rebuild.compare import Difference

_POSITION: Final = "SELECT position FROM readmodels_checkpoint WHERE name = %s"
# For each random id the next stream, or the first stream if there is none after the id.
_PICK: Final = """
SELECT DISTINCT coalesce(
         (SELECT aggregate_id FROM events_event WHERE aggregate_id >= wanted
           ORDER BY aggregate_id, version LIMIT 1),
         (SELECT aggregate_id FROM events_event ORDER BY aggregate_id, version LIMIT 1)) AS picked
  FROM unnest(%s::uuid[]) AS wanted
"""
_PARKED_FROM: Final = """
SELECT aggregate_id, min(position) FROM readmodels_parkedevent
 WHERE projection = %s AND aggregate_id = ANY(%s) GROUP BY aggregate_id
"""


class Checked(Struct, frozen=True):
    """The number of rows compared, and the rows that differ from the fold of their events."""

    projection: str
    rows: int
    drifted: tuple[Difference, ...]


def check_sample(projection: Rows, count: int) -> Checked:
    """Check the rows of at most `count` streams. Raises UnreadableEvent."""
    with transaction.atomic(durable=True), cursor() as cur:
        # One snapshot of table and checkpoint, because workers continue.
        cur.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        upto = next(iter(cur.execute(_POSITION, (projection.name,)).fetchone() or (0,)))
        wanted = [UUID(int=random.getrandbits(128)) for _ in range(count)]
        picked = [each for (each,) in cur.execute(_PICK, (wanted,)) if each is not None]
        parked = dict(cur.execute(_PARKED_FROM, (projection.name, picked)).fetchall())
        discarded = {position for *_, position in parking.discarded([projection.name])}
        folded: dict[UUID, Any] = {}
        for aggregate_id in picked:
            until = min(upto, parked.get(aggregate_id, upto + 1) - 1)
            for record in horizon.read_stream(
                projection.aggregate, aggregate_id, after=0, upto=upto
            ):
                key = projection.key(record)
                if key is None:
                    continue
                row = folded.setdefault(key, None)
                if record.position > until or record.position in discarded:
                    continue
                try:
                    folded[key] = projection.fold(row, record)
                except Exception:  # noqa: BLE001 - a rebuild would park it and keep the row
                    until = 0
        live = storage.load_rows(projection, folded)
        drifted = [
            _difference(key, live.get(key), row)
            for key, row in folded.items()
            if row != live.get(key)
        ]
    return Checked(projection.name, len(folded), tuple(drifted))


def _difference(key: UUID, live: Struct | None, folded: Struct | None) -> Difference:
    is_, should = (asdict(each) if each else {} for each in (live, folded))
    changed = {
        name: (_text(is_.get(name)), _text(should.get(name)))
        for name in should or is_
        if is_.get(name) != should.get(name)
    }
    return Difference(str(key), changed, missing=live is None, superfluous=folded is None)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
