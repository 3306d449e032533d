"""Rebuild read models from the log beside the live tables, compare, and swap.

Blue/green: readers have the old rows until the new ones are complete, and nobody waits for the
building. A rebuild that was killed leaves a schema behind, which the next one begins by removing.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import psycopg
from django.db import DatabaseError, InterfaceError
from msgspec import Struct
from psycopg.errors import LockNotAvailable

from payments.database import Connection, separate_connection
from payments.events import contradictions
from payments.events.contradictions import LogContradicted
from payments.events.reading import horizon
from payments.events.reading.horizon import HorizonHeld, UnreadableEvent
from readmodels.engine import parking
from readmodels.projections.kinds import Projection
from readmodels.rebuild import build, catalogue, compare, schemas, swap
from readmodels.rebuild.build import Plan
from readmodels.rebuild.catalogue import CatalogueChanged
from readmodels.rebuild.compare import Comparison
from readmodels.rebuild.swap import SwapBlocked

logger = logging.getLogger(__name__)

# Of the session's lock that keeps a second rebuild of this database out. The session of one that has just
# ended may be there for a moment more.
_PATIENCE: Final = "SET lock_timeout = '1s'"
_LOCK: Final = "SELECT pg_advisory_lock(hashtextextended('readmodels.rebuild', 0))"


class AlreadyRebuilding(Exception):
    """Another rebuild is at work."""

    def __init__(self) -> None:
        super().__init__("Another rebuild is at work on this database. Wait until it has ended.")


class SharedSession(Exception):
    """A pooler gives each transaction another connection, which would keep the lock of a rebuild."""

    def __init__(self) -> None:
        super().__init__(
            "A rebuild needs a session of its own, and a pooler in transaction mode has none."
            " Set DATABASE_URL to the server itself for this command."
        )


# These end a rebuild without any change, and are reported in a line.
FAILURES: Final = (
    AlreadyRebuilding,
    SharedSession,
    CatalogueChanged,
    SwapBlocked,
    HorizonHeld,
    LogContradicted,
    schemas.Published,
    UnreadableEvent,
    DatabaseError,
    InterfaceError,
    psycopg.Error,  # of the connections beside Django's
    BrokenExecutor,  # one of the processes was killed
)


class Rebuilt(Struct, frozen=True):
    """How many events were read, and how what was built compares with what was live."""

    events: int
    comparisons: tuple[Comparison, ...]


def rebuild(
    projections: Sequence[Projection],
    *,
    dry_run: bool = False,
    workers: int = 1,
    progress: Callable[[int], None] = lambda _: None,
) -> Rebuilt:
    """Build the projections' tables anew, compare them, and put them in place unless `dry_run`.

    `progress` gets the number of events read so far. Tables that are ahead of the log are brought back to it.
    Raises one of FAILURES; then nothing was changed.
    """
    found = [each for each in contradictions.find() if each.code in contradictions.OF_THE_SEQUENCE]
    if found:
        raise LogContradicted.by(found)
    with _alone():
        try:
            schemas.create(schemas.RETIRED)
            plan = _plan(projections, schemas.BUILD)
            if not dry_run:
                for projection in projections:  # before all the work, and again in the swap
                    catalogue.check_replaceable(plan.live, projection.model._meta.db_table)
            built = build.fill(plan, workers=workers, progress=progress)
            comparisons = compare.with_live(plan)
            if not dry_run:
                swap.into_place(plan, built.definitions)
        finally:
            _clear_up(schemas.BUILD)
            _clear_up(schemas.RETIRED)
    return Rebuilt(built.events, tuple(comparisons))


def rebuild_as_of(
    projections: Sequence[Projection],
    until: datetime,
    *,
    workers: int = 1,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Fill the schema AS_OF with the tables as of what was recorded by `until`; return the events read.

    They stay for looking at, until the next time. Raises as `rebuild` does, and for any contradiction;
    then there are none, since a part of the past would be taken for all of it.
    """
    if found := contradictions.find():
        raise LogContradicted.by(found)
    with _alone():
        plan = _plan(projections, schemas.AS_OF, until=until)
        try:
            return build.fill(plan, workers=workers, progress=progress).events
        except BaseException:
            _clear_up(schemas.AS_OF)
            raise


def _plan(projections: Sequence[Projection], schema: str, *, until: datetime | None = None) -> Plan:
    names = tuple(projection.name for projection in projections)
    return Plan(
        schema, schemas.live(), names, horizon.safe_position(), parking.discarded(names), until
    )


def _clear_up(schema: str) -> None:
    """Remove what is not needed any more: done is done, and what failed has a reason of its own."""
    try:
        schemas.drop(schema)
    except (DatabaseError, InterfaceError) as error:
        logger.warning("The schema %s is left for the next rebuild to remove: %s", schema, error)


@contextmanager
def _alone() -> Iterator[None]:
    """Raises AlreadyRebuilding, SharedSession. The lock ends with its session, however that ends."""
    with separate_connection() as session:
        _check_own(session)
        session.execute(_PATIENCE)
        try:
            session.execute(_LOCK)
        except LockNotAvailable:
            raise AlreadyRebuilding from None
        yield


def _check_own(session: Connection) -> None:
    """Raise SharedSession if another client gets the backend of this connected session."""
    mine = _backend(session)
    with separate_connection() as other, other.transaction():
        if _backend(other) == mine or _backend(session) != mine:
            raise SharedSession


def _backend(session: Connection) -> object:
    return session.execute("SELECT pg_backend_pid()").fetchone()
