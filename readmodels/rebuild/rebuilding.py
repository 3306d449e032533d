"""Rebuild read models from the log next to the live tables, compare them, and swap them in.

Readers see the old rows until the new ones are complete, and never wait for the build. A rebuild
that is killed leaves a schema behind, which the next one removes.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
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

# The session's lock keeps out a second rebuild of this database. The session of a rebuild that has just ended
# may exist for a moment longer, so wait for it.
_PATIENCE: Final = "SET lock_timeout = '1s'"
_LOCK: Final = "SELECT pg_advisory_lock(hashtextextended('readmodels.rebuild', 0))"


class AlreadyRebuilding(Exception):
    """Another rebuild is running."""

    def __init__(self) -> None:
        super().__init__("Another rebuild of this database is running. Wait until it has ended.")


class SharedSession(Exception):
    """The connection goes through a pooler that shares sessions, whose locks would outlast the rebuild."""

    def __init__(self) -> None:
        super().__init__(
            "A rebuild needs its own session, which a pooler in transaction mode does not give."
            " Set DATABASE_URL to the server itself for this command."
        )


# Errors that end a rebuild without a change. Commands report them in one line.
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
    psycopg.Error,  # from connections other than Django's
    BrokenExecutor,  # one of the processes was killed
)


class Rebuilt(Struct, frozen=True):
    """The number of events read, and the comparison of each new table with the live one."""

    events: int
    comparisons: tuple[Comparison, ...]


def rebuild(
    projections: Sequence[Projection],
    *,
    dry_run: bool = False,
    workers: int = 1,
    progress: Callable[[int], None] = lambda _: None,
    accept: Callable[[Sequence[Comparison]], None] = lambda _: None,
) -> Rebuilt:
    """Build new tables of the projections, compare them, and swap them in unless `dry_run`.

    `progress` receives the number of events read so far. `accept` is called in the transaction of the swap,
    once per attempt. It can prevent the swap by an exception, and what it writes is stored with the swap.
    Tables that are ahead of the log return to it. Raises one of FAILURES, and what `progress` and `accept`
    raise; then nothing has changed.
    """
    found = [each for each in contradictions.find() if each.code in contradictions.OF_THE_SEQUENCE]
    if found:
        raise LogContradicted.by(found)
    with _exclusively():
        try:
            schemas.create(schemas.RETIRED)
            plan = _plan(projections, schemas.BUILD)
            if not dry_run:
                for projection in projections:  # before the work begins, and again in the swap
                    catalogue.check_replaceable(plan.live, projection.model._meta.db_table)
            built = build.fill(plan, workers=workers, progress=progress)
            comparisons = compare.with_live(plan)
            if not dry_run:
                swap.into_place(plan, built.definitions, partial(accept, comparisons))
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
    """Fill the schema AS_OF with the tables as of the events recorded by `until`. Return the events read.

    The tables stay until the next call. Raises one of FAILURES, and LogContradicted for any
    contradiction. Then no tables remain, because incomplete ones could be mistaken for complete ones.
    """
    if found := contradictions.find():
        raise LogContradicted.by(found)
    with _exclusively():
        plan = _plan(projections, schemas.AS_OF, until=until)
        try:
            return build.fill(plan, workers=workers, progress=progress).events
        except BaseException:
            _clear_up(schemas.AS_OF)
            raise


def check_session() -> None:
    """Raise SharedSession if the connection goes through a pooler with which no rebuild is possible."""
    with separate_connection() as session:
        _check_not_shared(session)


def _plan(projections: Sequence[Projection], schema: str, *, until: datetime | None = None) -> Plan:
    names = tuple(projection.name for projection in projections)
    return Plan(
        schema, schemas.live(), names, horizon.safe_position(), parking.discarded(names), until
    )


def _clear_up(schema: str) -> None:
    """Drop the schema, or log why it stays: an error here must not hide the outcome of the rebuild."""
    try:
        schemas.drop(schema)
    except (DatabaseError, InterfaceError) as error:
        logger.warning("The schema %s stays until the next rebuild removes it: %s", schema, error)


@contextmanager
def _exclusively() -> Iterator[None]:
    """Hold the lock that admits one rebuild at a time. It ends with its session, even a killed one.

    Raises AlreadyRebuilding and SharedSession.
    """
    with separate_connection() as session:
        _check_not_shared(session)
        session.execute(_PATIENCE)
        try:
            session.execute(_LOCK)
        except LockNotAvailable:
            raise AlreadyRebuilding from None
        yield


def _check_not_shared(session: Connection) -> None:
    """Raise SharedSession if another client gets the backend process of this session."""
    mine = _backend(session)
    with separate_connection() as other, other.transaction():
        if _backend(other) == mine or _backend(session) != mine:
            raise SharedSession


def _backend(session: Connection) -> object:
    return session.execute("SELECT pg_backend_pid()").fetchone()
