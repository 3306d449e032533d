"""The schemas beside the live one, in which tables of the same names are filled, retired or looked at.

Every statement of the projections names its tables without a schema, so the same code fills them
anywhere: the search path says where.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, LiteralString

from django.db import OperationalError, transaction
from psycopg import sql
from psycopg.errors import LockNotAvailable

from payments.database import cursor

BUILD: Final = "readmodels_build"
RETIRED: Final = "readmodels_retired"
AS_OF: Final = "readmodels_as_of"

# For each table that is locked against readers. Together well below deadlock_timeout (a second), after which
# PostgreSQL ends one of those who wait, and below what a reader would notice.
LOCK_TIMEOUT: Final[LiteralString] = "SET LOCAL lock_timeout = '50ms'"
# Seconds: an index that a killed rebuild was building is finished before anybody can remove it.
_PATIENCE: Final = 60.0
_PAUSE: Final = 0.05

# A publication of a schema is harmless: the schema of a rebuild leaves it when it is dropped.
_OF_ALL_TABLES: Final = (
    "SELECT quote_ident(pubname) FROM pg_publication WHERE puballtables ORDER BY 1"
)
_LIVE: Final = """
SELECT nspname FROM pg_class JOIN pg_namespace AS schema ON schema.oid = relnamespace
 WHERE pg_class.oid = 'readmodels_checkpoint'::regclass
"""
# For this transaction only: a plain SET would stay on the connection for its next user. Folding takes
# its time, in which the transaction is idle and must not be ended. The server process of a killed rebuild
# ends within a second. It would otherwise finish its statement, and an index takes minutes.
_INSIDE: Final = """
SELECT set_config('search_path', quote_ident(%s) || ', ' || current_setting('search_path'), true),
       set_config('idle_in_transaction_session_timeout', '0', true),
       set_config('client_connection_check_interval', '1s', true)
"""
_LEFT: Final = """
SELECT nspname FROM pg_namespace WHERE nspname = ANY (%s) AND NOT EXISTS (
  SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
   WHERE locktype = 'advisory' AND granted AND datname = current_database() AND objsubid = 1
     AND (classid::bigint << 32 | objid::bigint) = hashtextextended('readmodels.rebuild', 0)
) ORDER BY 1
"""


def live() -> str:
    """The schema that readers see."""
    with cursor() as cur:
        row = cur.execute(_LIVE).fetchone()
    assert row is not None, "regclass raises when there is no table"  # noqa: S101
    return str(row[0])


def left_behind() -> list[str]:
    """Return the schemas of rebuilds that were killed, and the one that `--as-of` keeps."""
    with cursor() as cur:
        rows = cur.execute(_LEFT, ([BUILD, RETIRED, AS_OF],)).fetchall()
    return [str(name) for (name,) in rows]


@contextmanager
def inside(schema: str) -> Iterator[None]:
    """A transaction in which tables are first looked for in `schema`, then where they always are."""
    with transaction.atomic(durable=True):
        with cursor() as cur:
            cur.execute(_INSIDE, (schema,))
        yield


class Published(Exception):
    """A publication includes the tables of a rebuild, which its subscribers do not have."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"The publication {', '.join(names)} is FOR ALL TABLES, those too that a rebuild fills, so its"
            " subscribers would stop at their first row and apply nothing any more. Publish FOR TABLES IN"
            " SCHEMA public instead, or the tables that you need."
        )


def create(schema: str) -> None:
    """Make an empty schema, in the place of one that an earlier rebuild may have left.

    Raises Published.
    """
    with cursor() as cur:
        if names := cur.execute(_OF_ALL_TABLES).fetchall():
            raise Published([name for (name,) in names])
    drop(schema)
    with cursor() as cur:
        cur.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))


def drop(schema: str) -> None:
    """Remove the schema and all that is in it, if it is there.

    A reader whose plan is older than the swap locks the retired tables before it plans anew. So all is let
    go and tried again rather than to wait for one table while holding another. Raises OperationalError
    when that never succeeds.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with transaction.atomic(), cursor() as cur:
                cur.execute(LOCK_TIMEOUT)
                cur.execute(
                    sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema))
                )
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable) or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return
