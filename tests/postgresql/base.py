"""A backend that empties tables between tests although the triggers of the log refuse it."""

from collections.abc import Sequence
from typing import Any, Final

from django.core.management.color import Style
from django.db.backends.postgresql import operations

from config.postgresql import base

# Migrations fill these tables and no test changes them. Filling them again would be slow.
_PART_OF_THE_SCHEMA: Final = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "customers_pseudonymkey",
}


class DatabaseOperations(operations.DatabaseOperations):
    def sql_flush(
        self,
        style: Style,
        tables: Sequence[str],
        *,
        reset_sequences: bool = False,
        allow_cascade: bool = False,
    ) -> list[str]:
        # In this role, only triggers for replicas run. Those of the log and of foreign keys do not.
        # A flush is one transaction and, as a single string, one round trip.
        # For the few rows of a test, DELETE is faster than TRUNCATE.
        emptied = [self.quote_name(each) for each in tables if each not in _PART_OF_THE_SCHEMA]
        return [
            "SET LOCAL session_replication_role = replica;"
            + "".join(f"DELETE FROM {table};" for table in emptied)
        ]


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class: Any = DatabaseOperations
