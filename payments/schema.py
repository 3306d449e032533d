"""Run the SQL that models cannot express, from files next to the migrations."""

from functools import partial
from pathlib import Path

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import RunPython
from django.db.migrations.state import StateApps


def run_sql(file: Path) -> RunPython:
    """Return an operation that executes the statements of `file`. It has no reverse.

    `{schema}` in the file stands for the current schema. Functions that set their own search path
    have to name it.
    """
    return RunPython(partial(_execute, file))


def _execute(file: Path, _: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        (schema,) = cursor.fetchone()
        cursor.execute(file.read_text().replace("{schema}", schema))
