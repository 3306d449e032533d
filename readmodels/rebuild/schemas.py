"""The schemas next to the live one, which hold tables of the same names: new, retired, or as of a time.

The statements of projections name their tables without a schema, so the search path decides which
tables the same code fills.
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

# The timeout applies to each table that is locked against readers. The sum over all tables is well
# below deadlock_timeout (a second), after which PostgreSQL cancels a waiting session. It is also
# below what a reader would notice.
LOCK_TIMEOUT: Final[LiteralString] = "SET LOCAL lock_timeout = '50ms'"
# Seconds. An index that a killed rebuild was building is finished before it can be dropped.
_PATIENCE: Final = 60.0
_PAUSE: Final = 0.05

# A publication of the live schema is harmless: it does not include the schema of a rebuild.
_OF_ALL_TABLES: Final = (
    "SELECT quote_ident(pubname) FROM pg_publication WHERE puballtables ORDER BY 1"
)
_LIVE: Final = """
SELECT nspname FROM pg_class JOIN pg_namespace AS schema ON schema.oid = relnamespace
 WHERE pg_class.oid = 'readmodels_checkpoint'::regclass
"""
# For this transaction only: a plain SET would stay on the connection for its next user. The
# transaction is idle while this process folds, and must not be ended by a timeout. With the
# connection check, the server process of a killed rebuild ends within a second. Otherwise it would
# finish its statement, such as an index that takes minutes.
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
    """Return the schema that readers use."""
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
    """Open a transaction whose search path begins with `schema`."""
    with transaction.atomic(durable=True):
        with cursor() as cur:
            cur.execute(_INSIDE, (schema,))
        yield


class Published(Exception):
    """A publication would include the tables of a rebuild, which its subscribers lack."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"The publication {', '.join(names)} is FOR ALL TABLES and would include those of the rebuild."
            " Its subscribers lack them, and would stop at their first row. Publish FOR TABLES IN"
            " SCHEMA public instead, or the tables that you need."
        )


def create(schema: str) -> None:
    """Create an empty schema, and replace one that an earlier rebuild left. Raises Published."""
    with cursor() as cur:
        if names := cur.execute(_OF_ALL_TABLES).fetchall():
            raise Published([name for (name,) in names])
    drop(schema)
    with cursor() as cur:
        cur.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))


def drop(schema: str) -> None:
    """Drop the schema and its contents, if it exists. Raises OperationalError after a minute.

    A reader whose plan is older than the swap locks the retired tables before it plans anew. Each
    attempt therefore releases all its locks, instead of waiting for one table while it holds
    another.
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
