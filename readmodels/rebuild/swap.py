"""Replace the live tables with the built ones without stopping readers and writers.

The swap locks the checkpoints first, as batches do, then the tables. If a lock takes too long, it
releases all locks and tries again, well before PostgreSQL would report a deadlock to a reader.
Readers in READ COMMITTED see the old table or the new one. A reader in REPEATABLE READ whose
snapshot is older than the build sees the new table empty.
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, LiteralString

from django.db import OperationalError
from psycopg import errors, sql

from payments.database import cursor
from payments.events.reading import horizon
from payments.events.reading.horizon import HorizonHeld
from readmodels.engine import parking, runner
from readmodels.models import ParkedEvent
from readmodels.rebuild import build, catalogue, schemas
from readmodels.rebuild.build import Plan
from readmodels.rebuild.catalogue import CatalogueChanged, Definition

_LONGEST_PAUSE: Final = 1.0

_ENSURE: Final[LiteralString] = """
INSERT INTO {live}.readmodels_checkpoint (name, version, position, updated_at, error)
SELECT name, version, 0, clock_timestamp(), '' FROM {built}.readmodels_checkpoint
    ON CONFLICT DO NOTHING
"""
_LOCK_CHECKPOINTS: Final[LiteralString] = """
SELECT FROM {live}.readmodels_checkpoint WHERE name = ANY(%(names)s) ORDER BY name FOR UPDATE
"""
_LOCK_TABLES: Final[LiteralString] = "LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"
_TAKE_CHECKPOINTS: Final[LiteralString] = """
UPDATE {live}.readmodels_checkpoint AS live
   SET version = built.version, position = built.position, error = '', updated_at = clock_timestamp()
  FROM {built}.readmodels_checkpoint AS built WHERE live.name = built.name
"""
_FORGET_PARKED: Final[LiteralString] = (
    "DELETE FROM {live}.readmodels_parkedevent WHERE projection = ANY(%(names)s)"
)
_TAKE_PARKED: Final[LiteralString] = """
INSERT INTO {live}.readmodels_parkedevent ({columns})
SELECT {columns} FROM {built}.readmodels_parkedevent
"""
_HOLDERS: Final[LiteralString] = """
SELECT DISTINCT pid FROM pg_locks
 WHERE relation = ANY(%(tables)s::regclass[]::oid[]) AND granted AND pid <> pg_backend_pid()
 ORDER BY pid
"""


class SwapBlocked(Exception):
    """The live tables could not be locked, because they were in use. Nothing has changed."""

    def __init__(self, pids: Sequence[int]) -> None:
        holding = f" In use by pid {', '.join(map(str, pids))}." if pids else ""
        super().__init__(
            f"The live tables were in use for the whole time.{holding} Run the rebuild again."
        )


def into_place(
    plan: Plan,
    definitions: Mapping[str, Definition],
    accept: Callable[[], None] = lambda: None,
    *,
    patience: float = 60.0,
) -> None:
    """Replace tables, checkpoints and parked events in one transaction. `patience` is in seconds.

    Each attempt calls `accept` in its transaction. Raises what `accept` raises, SwapBlocked if the tables
    could not be locked, and CatalogueChanged if a migration ran or an event was discarded in the meantime.
    """
    deadline = time.monotonic() + patience
    pause = 0.01
    _run(plan, _ENSURE)
    while True:
        upto = horizon.safe_position(patience=patience)
        for projection in plan.projections:
            build.advance(plan.schema, projection, upto=upto)
        try:
            with schemas.inside(plan.schema):
                _swap(plan, definitions, accept)
        except (OperationalError, HorizonHeld) as error:
            if not isinstance(error.__cause__, errors.LockNotAvailable | None):
                raise
            if time.monotonic() > deadline:
                raise SwapBlocked(_holders(plan, definitions)) from error
        else:
            return
        # At random, to fall out of step with readers that return regularly.
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        pause = min(2 * pause, _LONGEST_PAUSE)


def _swap(plan: Plan, definitions: Mapping[str, Definition], accept: Callable[[], None]) -> None:
    # Only batches lock the checkpoints, and they skip a locked one. Wait long enough for a batch to end: with
    # the shorter timeout of the tables, steady traffic could keep the swap out for its whole minute.
    _run(plan, "SET LOCAL lock_timeout = '500ms'")
    accept()  # before taking locks that block others
    _run(plan, _LOCK_CHECKPOINTS)
    _run(plan, schemas.LOCK_TIMEOUT)
    if parking.discarded(plan.names) != plan.discarded:
        raise CatalogueChanged("An event was discarded during the rebuild. Run it again.")
    # No batch can run now. Bring the new tables as far as the live ones, or to the end of a log that was
    # restored to an older state.
    upto = horizon.safe_position()
    for projection in plan.projections:
        while runner.advance(projection, upto=upto).full:
            pass
    tables = sorted(definitions)
    live = [sql.Identifier(plan.live, table) for table in tables]
    _run(plan, _LOCK_TABLES, tables=sql.SQL(", ").join(live))
    for table in tables:
        catalogue.check(table, definitions[table], schema=plan.live)
        catalogue.check_replaceable(plan.live, table)
        _run(plan, "ALTER TABLE {live}.{table} SET SCHEMA {retired}", table=sql.Identifier(table))
        _run(plan, "ALTER TABLE {built}.{table} SET SCHEMA {live}", table=sql.Identifier(table))
    _run(plan, _TAKE_CHECKPOINTS)
    _run(plan, _FORGET_PARKED)
    names = [
        field.attname for field in ParkedEvent._meta.local_concrete_fields if not field.primary_key
    ]
    _run(plan, _TAKE_PARKED, columns=sql.SQL(", ").join(map(sql.Identifier, names)))


def _holders(plan: Plan, definitions: Iterable[str]) -> list[int]:
    tables = [sql.Identifier(plan.live, table).as_string() for table in definitions]
    with cursor() as cur:
        return [pid for (pid,) in cur.execute(_HOLDERS, {"tables": tables})]


def _run(plan: Plan, statement: LiteralString, **parts: sql.Composable) -> None:
    composed = sql.SQL(statement).format(
        live=sql.Identifier(plan.live),
        built=sql.Identifier(plan.schema),
        retired=sql.Identifier(schemas.RETIRED),
        **parts,
    )
    with cursor() as cur:
        cur.execute(composed, {"names": list(plan.names)})
