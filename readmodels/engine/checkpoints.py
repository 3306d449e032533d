"""The checkpoint rows: a projection's position in the log, and the lock that makes each event count once."""

from typing import Final

from django.db import transaction
from msgspec import Struct

from payments.database import execute, require_transaction
from readmodels.engine import metering
from readmodels.engine.metering import Work
from readmodels.projections.kinds import Projection


class Position(Struct, frozen=True):
    """A locked checkpoint: the last event read, the version of the code, and the work so far."""

    position: int
    version: int
    error: str
    work: Work


class RebuildNeeded(Exception):
    """Another version of the code filled the table, so new rows could mean something else."""

    def __init__(self, projection: Projection, version: int) -> None:
        super().__init__(
            f"{projection.name} was filled by version {version} of its code, which is now version"
            f" {projection.version}. Run: ./manage.py rebuild_projections {projection.name}"
        )


_ENSURE: Final = """
INSERT INTO readmodels_checkpoint (name, version, position, updated_at, error)
VALUES (%(name)s, %(version)s, 0, clock_timestamp(), '') ON CONFLICT DO NOTHING RETURNING true
"""
_LOCK: Final = """
SELECT position, version, error, work::text FROM readmodels_checkpoint WHERE name = %(name)s
   FOR UPDATE
"""
_TRY_LOCK: Final = f"{_LOCK} SKIP LOCKED"
_MOVE: Final = """
UPDATE readmodels_checkpoint
   SET position = %(position)s, work = %(work)s::jsonb, error = '', updated_at = clock_timestamp()
 WHERE name = %(name)s
"""
_TOUCH: Final = """
UPDATE readmodels_checkpoint SET updated_at = clock_timestamp() WHERE name = %(name)s
"""
_STOP: Final = """
UPDATE readmodels_checkpoint SET error = %(reason)s, updated_at = clock_timestamp()
 WHERE name = %(name)s AND error <> %(reason)s
"""


def try_lock(projection: Projection) -> Position | None:
    """Lock the checkpoint until the transaction ends, or return None if another transaction holds it."""
    require_transaction()
    locked = execute(_TRY_LOCK, {"name": projection.name})
    if locked:
        return _position(*locked[0])
    # Locked by another worker, or missing before the first batch.
    return Position(0, projection.version, "", Work()) if _ensure(projection) else None


def lock(projection: Projection) -> Position:
    """Lock the checkpoint until the transaction ends, and wait for a running batch to end.

    Raises RebuildNeeded.
    """
    require_transaction()
    _ensure(projection)
    (row,) = execute(_LOCK, {"name": projection.name})
    locked = _position(*row)
    check_version(projection, locked)
    return locked


def check_version(projection: Projection, locked: Position) -> None:
    """Raise RebuildNeeded if another version of the code filled the table."""
    if locked.version != projection.version:
        raise RebuildNeeded(projection, locked.version)


def move(projection: Projection, position: int, work: Work) -> None:
    """Record that this transaction applied all events up to `position`, the last one read."""
    require_transaction()
    execute(_MOVE, {"name": projection.name, "position": position, "work": metering.encode(work)})


def touch(projection: Projection) -> None:
    """Record that rows changed at the same position, which invalidates responses that clients cached."""
    execute(_TOUCH, {"name": projection.name})


def stop(projection: Projection, error: Exception) -> None:
    """Store why the projection is stalled, for the pages and commands that show its state."""
    reason = f"{type(error).__name__}: {error}"
    with transaction.atomic():
        _ensure(projection)
        execute(_STOP, {"name": projection.name, "reason": reason})


def _position(position: int, version: int, error: str, work: str) -> Position:
    return Position(position, version, error, metering.decode(work))


def _ensure(projection: Projection) -> bool:
    """Create the checkpoint at the beginning of the log. Return whether it was missing."""
    return bool(execute(_ENSURE, {"name": projection.name, "version": projection.version}))
