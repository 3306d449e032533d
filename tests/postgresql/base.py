"""Empties tables between tests, although triggers refuse it and some rows belong to the schema."""

from collections.abc import Sequence
from typing import Any, Final

from django.core.management.color import Style
from django.db.backends.postgresql import base, operations

# Filled by migrations and never changed by a test: emptying them would cost more than all the rest.
_PART_OF_THE_SCHEMA: Final = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
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
        emptied = [table for table in tables if table not in _PART_OF_THE_SCHEMA]
        statements = super().sql_flush(
            style, emptied, reset_sequences=reset_sequences, allow_cascade=allow_cascade
        )
        # Triggers that are not for replicas keep still. Flushing is one transaction.
        return ["SET LOCAL session_replication_role = replica;", *statements]


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class: Any = DatabaseOperations
