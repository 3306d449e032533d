"""The schemas beside the live one, in which tables of the same names are filled, retired or looked at.

Every statement of the projections names its tables without a schema, so the same code fills them
anywhere: the search path says where.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import transaction
from psycopg import sql

from payments.events.database import cursor

BUILD: Final = "readmodels_build"
RETIRED: Final = "readmodels_retired"
AS_OF: Final = "readmodels_as_of"

_LIVE: Final = """
SELECT nspname FROM pg_class JOIN pg_namespace AS schema ON schema.oid = relnamespace
 WHERE pg_class.oid = 'readmodels_checkpoint'::regclass
"""
# For this transaction only: a plain SET would stay on the connection for whoever has it next. Folding takes
# its time, in which the transaction is idle and must not be ended.
_INSIDE: Final = """
SELECT set_config('search_path', quote_ident(%s) || ', ' || current_setting('search_path'), true),
       set_config('idle_in_transaction_session_timeout', '0', true)
"""


def live() -> str:
    """The schema that readers see."""
    with cursor() as cur:
        row = cur.execute(_LIVE).fetchone()
    assert row is not None, "regclass raises when there is no table"  # noqa: S101
    return str(row[0])


@contextmanager
def inside(schema: str) -> Iterator[None]:
    """A transaction in which tables are first looked for in `schema`, then where they always are."""
    with transaction.atomic(durable=True):
        with cursor() as cur:
            cur.execute(_INSIDE, (schema,))
        yield


def create(schema: str) -> None:
    """Make an empty schema, in the place of one that an earlier rebuild may have left."""
    with transaction.atomic():
        drop(schema)
        with cursor() as cur:
            cur.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))


def drop(schema: str) -> None:
    """Remove the schema and all that is in it, if it is there."""
    with cursor() as cur:
        cur.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
