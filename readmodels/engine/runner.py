"""Carry the log into the read models, each event exactly once, whatever dies in between.

A batch is one short transaction: lock the checkpoint, read the log up to its safe horizon, apply,
move the checkpoint, commit. Either all of it happened or nothing did.
"""

from collections.abc import Callable
from typing import Final

from django.db import InterfaceError, OperationalError, transaction
from msgspec import Struct

from payments import outages
from payments.aggregates import PAYMENT_AGGREGATE
from payments.database import require_transaction
from payments.events import contradictions
from payments.events.contradictions import LogContradicted
from payments.events.reading import horizon
from payments.events.reading.horizon import HorizonHeld
from readmodels.engine import checkpoints, metering, parking, storage
from readmodels.projections.kinds import Entries, Projection

BATCH: Final = 1_000


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
    HorizonHeld, LogContradicted, and OperationalError when the database is away.
    """
    try:
        with transaction.atomic():
            locked = checkpoints.try_lock(projection)
            if locked is None:
                return None
            if on_lock is not None:
                on_lock()
            checkpoints.check_version(projection, locked)
            return _apply_next(projection, locked, upto=horizon.safe_position(), limit=limit)
    except (HorizonHeld, LogContradicted, OperationalError, InterfaceError):
        raise  # nothing is wrong with the projection: the next try may succeed
    except checkpoints.RebuildNeeded:
        raise  # the versions show it; workers of the table's own version go on
    except Exception as error:
        if outages.of(error) is None:
            checkpoints.stop(projection, error)
        raise


def catch_up(projection: Projection) -> int:
    """Run batches until nothing is left or another worker takes over; return the events applied."""
    applied = 0
    while (batch := run_batch(projection)) is not None:
        applied += batch.events
        if not batch.full:
            break
    return applied


def advance(projection: Projection, *, upto: int, limit: int = BATCH) -> Batch:
    """Apply the next events up to the safe position `upto`, waiting for the checkpoint.

    Must run inside a transaction. Raises RebuildNeeded, UnreadableEvent.
    """
    require_transaction()
    return _apply_next(projection, checkpoints.lock(projection), upto=upto, limit=limit)


def _apply_next(
    projection: Projection, locked: checkpoints.Position, *, upto: int, limit: int
) -> Batch:
    # The last event read, never the horizon: after a crash a sequence can give a position again.
    with metering.metered(locked.work) as work:
        events, last = _apply(projection, after=locked.position, upto=upto, limit=limit)
        if events or locked.error:
            checkpoints.move(projection, last, work(events))
    return Batch(events, full=events == limit)


def _apply(projection: Projection, *, after: int, upto: int, limit: int) -> tuple[int, int]:
    """Return how many events were read, and the last one's position."""
    if isinstance(projection, Entries):
        events, last, follows = storage.insert_entries(
            projection, after=after, upto=upto, limit=limit
        )
        _check(follows=follows)
        return events, last or after
    read = horizon.read_next(PAYMENT_AGGREGATE, after=after, upto=upto, limit=limit)
    _check(follows=read.follows)
    if read.records:
        parking.apply_or_park(metering.timed(projection), read.records)
    return read.events, read.last


def _check(*, follows: bool) -> None:
    """Raise LogContradicted if the log lost the event that the checkpoint is at."""
    if not follows and (found := contradictions.find()):
        raise LogContradicted.by(found)
