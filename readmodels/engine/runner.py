"""Apply the log to the read models, each event exactly once, even if a process or server dies.

A batch is one short transaction: lock the checkpoint, read the log up to its safe horizon, apply,
move the checkpoint, commit. Either all of it happens or nothing does.
"""

from collections.abc import Callable
from typing import Final

from django.db import InterfaceError, OperationalError, transaction
from msgspec import Struct

from payments import outages
from payments.database import require_transaction
from payments.events import contradictions
from payments.events.contradictions import LogContradicted
from payments.events.reading import horizon
from payments.events.reading.horizon import HorizonHeld
from readmodels.engine import checkpoints, metering, parking, storage
from readmodels.projections.kinds import Entries, Projection

BATCH: Final = 1_000


class Batch(Struct, frozen=True):
    """The number of events that a batch read, the range of the log, and whether there may be more."""

    events: int
    full: bool
    after: int
    upto: int


def run_batch(
    projection: Projection, *, limit: int = BATCH, on_lock: Callable[[], None] | None = None
) -> Batch | None:
    """Apply the next events, at most `limit`. Return None if another worker holds the checkpoint.

    `on_lock` is called after the checkpoint is locked, before the log is read. An error of the
    projection itself is stored in its checkpoint and raised. Raises HorizonHeld, LogContradicted,
    RebuildNeeded, and OperationalError when the database is unreachable.
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
        raise  # not the projection's fault: the next batch may succeed
    except checkpoints.RebuildNeeded:
        raise  # not stored as an error, because workers of the table's version may continue
    except Exception as error:
        if outages.of(error) is None:
            checkpoints.stop(projection, error)
        raise


def catch_up(projection: Projection) -> int:
    """Run batches up to the end of the log or until another worker takes over.

    Return the number of events read.
    """
    applied = 0
    while (batch := run_batch(projection)) is not None:
        applied += batch.events
        if not batch.full:
            break
    return applied


def advance(projection: Projection, *, upto: int, limit: int = BATCH) -> Batch:
    """Apply the next events up to the safe position `upto`, after waiting for the checkpoint.

    Must run inside a transaction. Raises RebuildNeeded and UnreadableEvent.
    """
    require_transaction()
    return _apply_next(projection, checkpoints.lock(projection), upto=upto, limit=limit)


def _apply_next(
    projection: Projection, locked: checkpoints.Position, *, upto: int, limit: int
) -> Batch:
    # Move to the last event read, never to the horizon: after a crash a sequence can give a position twice.
    with metering.metered(locked.work) as work:
        events, last = _apply(projection, after=locked.position, upto=upto, limit=limit)
        if events or locked.error:
            checkpoints.move(projection, last, work(events))
    return Batch(events, full=events == limit, after=locked.position, upto=last)


def _apply(projection: Projection, *, after: int, upto: int, limit: int) -> tuple[int, int]:
    """Apply the events. Return how many were read, and the last one's position."""
    if isinstance(projection, Entries):
        events, last, follows = storage.insert_entries(
            projection, after=after, upto=upto, limit=limit
        )
        _check(follows=follows)
        return events, last or after
    read = horizon.read_next(
        projection.aggregate,
        after=after,
        upto=upto,
        limit=limit,
        event_types=projection.event_types,
    )
    _check(follows=read.follows)
    if read.records:
        parking.apply_or_park(metering.timed(projection), read.records)
    return read.events, read.last


def _check(*, follows: bool) -> None:
    """Raise LogContradicted if the log no longer has the event at the checkpoint."""
    if not follows and (found := contradictions.find()):
        raise LogContradicted.by(found)
