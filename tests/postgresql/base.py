"""Empties tables between tests, although triggers refuse it and some rows belong to the schema."""

from collections.abc import Sequence
from typing import Any, Final

from django.core.management.color import Style
from django.db.backends.postgresql import operations

from config.postgresql import base

# Filled by migrations and never changed by a test: emptying them would cost more than all the rest.
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
        # Triggers that are not for replicas keep still, foreign keys among them. Flushing is one
        # transaction. A test leaves few rows, which are deleted faster than a file is truncated.
        emptied = [self.quote_name(each) for each in tables if each not in _PART_OF_THE_SCHEMA]
        return [
            "SET LOCAL session_replication_role = replica;",
            *(f"DELETE FROM {table};" for table in emptied),
        ]


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class: Any = DatabaseOperations
