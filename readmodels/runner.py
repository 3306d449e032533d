"""Carry the log into the read models, each event exactly once, whatever dies in between.

A batch is one short transaction: lock the checkpoint, read the log up to its safe horizon, apply,
move the checkpoint, commit. Either all of it happened or nothing did.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from msgspec import Struct

from payments.events import horizon
from payments.events.database import cursor
from payments.events.horizon import HorizonHeld, Record
from readmodels import tables
from readmodels.projections.forms import Counters, Projection, Rows

logger = logging.getLogger(__name__)

BATCH: Final = 1_000

_ENSURE: Final = """
INSERT INTO readmodels_checkpoint (name, version, position, updated_at, error)
VALUES (%s, %s, 0, clock_timestamp(), '') ON CONFLICT DO NOTHING
"""
_LOCK: Final = """
SELECT position, version, error FROM readmodels_checkpoint WHERE name = %s FOR UPDATE SKIP LOCKED
"""
_MOVE: Final = """
UPDATE readmodels_checkpoint SET position = %s, error = '', updated_at = clock_timestamp() WHERE
name = %s
"""
_STOP: Final = """
UPDATE readmodels_checkpoint SET error = %s, updated_at = clock_timestamp() WHERE name = %s AND
error <> %s
"""


class RebuildNeeded(Exception):
    """The code is newer than the table: rows filled by both would mix two meanings."""

    def __init__(self, projection: Projection, version: int) -> None:
        super().__init__(
            f"{projection.name} was filled by version {version} of its code, which is now version"
            f" {projection.version}. Run: manage.py rebuild_projections {projection.name}"
        )


class Batch(Struct, frozen=True):
    """What one batch did: how many events it read, and whether there may be more already."""

    events: int
    full: bool


def run_batch(
    projection: Projection, *, limit: int = BATCH, on_lock: Callable[[], None] | None = None
) -> Batch | None:
    """Apply the next events, at most `limit`. Return None if another worker has the checkpoint.

    `on_lock` is called while the checkpoint is locked and before the log is read. An error of the
    projection itself is written to its checkpoint, where status pages show it, and raised. Raises
    HorizonHeld, and OperationalError when the database is away.
    """
    try:
        with transaction.atomic():
            checkpoint = _lock(projection)
            if checkpoint is None:
                return None
            if on_lock is not None:
                on_lock()
            return _apply_next(projection, *checkpoint, limit=limit)
    except (HorizonHeld, OperationalError, InterfaceError):
        raise  # nothing is wrong with the projection: the next try may succeed
    except Exception as error:
        _stop(projection, error)
        raise


def catch_up(projection: Projection) -> int:
    """Run batches until nothing is left or another worker takes over; return the events applied."""
    applied = 0
    while (batch := run_batch(projection)) is not None:
        applied += batch.events
        if not batch.full:
            break
    return applied


def apply(projection: Projection, records: Sequence[Record]) -> None:
    """Fold or count `records`, in the order of the log, in at most two statements."""
    match projection:
        case Rows():
            _fold_rows(projection, records)
        case Counters():
            sums: dict[Any, dict[str, int]] = {}
            for record in records:
                tables.add_up(sums, projection.delta(record))
            tables.add_counters(projection, sums)


def _apply_next(
    projection: Projection, position: int, version: int, error: str, *, limit: int
) -> Batch:
    if version != projection.version:
        raise RebuildNeeded(projection, version)
    records = horizon.read(after=position, upto=horizon.safe_position(), limit=limit)
    if records:
        apply(projection, records)
    if records or error:
        # The last event read, never the horizon: after a crash a sequence can give a position
        # again.
        _execute(_MOVE, (records[-1].position if records else position, projection.name))
    return Batch(len(records), full=len(records) == limit)


def _fold_rows(projection: Rows, records: Sequence[Record]) -> None:
    begun = {record.aggregate_id for record in records if record.version == 1}
    continued = {record.aggregate_id for record in records} - begun
    rows: dict[UUID, Any] = dict(tables.load_rows(projection, continued)) if continued else {}
    for record in records:
        rows[record.aggregate_id] = projection.fold(rows.get(record.aggregate_id), record)
    tables.save_rows(projection, rows.values())


def _lock(projection: Projection) -> tuple[int, int, str] | None:
    with cursor() as cur:
        row = cur.execute(_LOCK, (projection.name,), prepare=True).fetchone()
        if row is None:
            # Locked by another worker, or not there yet; then this is the first batch ever.
            cur.execute(_ENSURE, (projection.name, projection.version), prepare=True)
            if cur.rowcount:
                row = (0, projection.version, "")
    return None if row is None else (row[0], row[1], row[2])


def _stop(projection: Projection, error: Exception) -> None:
    reason = f"{type(error).__name__}: {error}"
    with transaction.atomic():
        _execute(_ENSURE, (projection.name, projection.version))
        _execute(_STOP, (reason, projection.name, reason))


def _execute(statement: LiteralString, parameters: tuple[object, ...]) -> None:
    with cursor() as cur:
        cur.execute(statement, parameters, prepare=True)
