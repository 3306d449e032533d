"""Find out before a rebuild why the connection of this process cannot do it."""

from collections.abc import Sequence
from typing import Final

from payments.database import execute
from readmodels.projections import PROJECTIONS
from readmodels.rebuild import schemas
from readmodels.rebuild.rebuilding import SharedSession, check_session

# A rebuild creates schemas, and gives each new table the owner of the live one.
_RIGHTS: Final = """
SELECT current_user::text,
       has_database_privilege(current_database(), 'CREATE')
       AND has_schema_privilege(%(live)s::text, 'CREATE')
       AND NOT EXISTS (SELECT FROM pg_class
                        WHERE oid = ANY (%(tables)s::text[]::regclass[])
                          AND NOT pg_has_role(relowner, 'USAGE'))
"""


def find(names: Sequence[str]) -> str:
    """Return why a rebuild of these projections is impossible, empty if no obstacle is known."""
    try:
        check_session()
    except SharedSession:
        return "The service is connected through a pooler in transaction mode, which cannot hold the lock."
    tables = [PROJECTIONS[name].model._meta.db_table for name in names]
    ((role, may),) = execute(_RIGHTS, {"live": schemas.live(), "tables": tables})
    return (
        ""
        if may
        else f"The role of the service, {role}, does not own the tables or may not create schemas."
    )
