"""Count the projections among the readers of the log: no event may be appended behind a checkpoint."""

from typing import ClassVar

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import StateApps

FORWARDS = """
CREATE OR REPLACE VIEW {schema}.events_reader AS
SELECT 'the last seal'::text AS name, sealed_position AS position, NULL::bigint AS needed, NULL::text AS repair
  FROM {schema}.events_log
 UNION ALL
SELECT name, position, position, 'manage.py rebuild_projections ' || name FROM {schema}.readmodels_checkpoint
"""
BACKWARDS = """
CREATE OR REPLACE VIEW {schema}.events_reader AS
SELECT 'the last seal'::text AS name, sealed_position AS position, NULL::bigint AS needed, NULL::text AS repair
  FROM {schema}.events_log
"""


def _forwards(_: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _execute(schema_editor, FORWARDS)


def _backwards(_: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _execute(schema_editor, BACKWARDS)


def _execute(schema_editor: BaseDatabaseSchemaEditor, statement: str) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        cursor.execute(statement.replace("{schema}", cursor.fetchone()[0]))


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("events", "0008_refuse_positions_behind_readers"),
        ("readmodels", "0023_first_position"),
    ]

    operations: ClassVar[list[Operation]] = [migrations.RunPython(_forwards, _backwards)]
