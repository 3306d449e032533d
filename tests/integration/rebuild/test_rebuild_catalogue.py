"""A rebuilt table has the definition of the migrations, and no dependent object is lost."""

import subprocess

import pytest
from django.db import connection

from readmodels.rebuild.catalogue import CatalogueChanged
from readmodels.rebuild.rebuilding import rebuild
from tests.support import servers
from tests.support.api import project
from tests.support.concurrency import session
from tests.support.rebuilding import ALL, SUMMARY, contents, during_the_build, schemas_left

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def dump() -> str:
    """Return the schema as pg_dump writes it, without its random tokens."""
    parameters = connection.get_connection_params()
    text = subprocess.run(
        [
            str(servers.postgres().binaries / "pg_dump"),
            "--schema-only",
            f"--host={parameters['host']}",
            f"--username={parameters['user']}",
            parameters["dbname"],
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith("\\"))


def test_rebuild_keeps_the_schema_of_the_migrations(filled: int) -> None:
    with session() as owner:
        owner.execute(
            """
            DROP ROLE IF EXISTS reporting;
            CREATE ROLE reporting;
            GRANT SELECT ON readmodels_paymentsummary TO reporting WITH GRANT OPTION;
            GRANT SELECT (day, total_count) ON readmodels_dailystatistics TO reporting, PUBLIC;
            COMMENT ON TABLE readmodels_paymentsummary IS 'It''s rebuilt';
            COMMENT ON COLUMN readmodels_paymentsummary.amount IS 'minor units';
            COMMENT ON INDEX payment_by_time IS 'the first page';
            COMMENT ON CONSTRAINT readmodels_paymentsummary_pkey ON readmodels_paymentsummary IS 'one';
            """
        )
        before = dump()
        try:
            rebuild(ALL)
            assert dump() == before
        finally:
            owner.execute(
                """
                COMMENT ON TABLE readmodels_paymentsummary IS NULL;
                COMMENT ON COLUMN readmodels_paymentsummary.amount IS NULL;
                COMMENT ON INDEX payment_by_time IS NULL;
                COMMENT ON CONSTRAINT readmodels_paymentsummary_pkey ON readmodels_paymentsummary IS NULL;
                DROP OWNED BY reporting;
                DROP ROLE reporting;
                """
            )


def test_migration_during_a_rebuild_stops_the_swap(
    reviewed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without catalogue.check in the swap, the new column would be lost."""
    project()
    before = contents()

    def run(statement: str) -> None:
        with session() as owner:
            owner.execute(f"ALTER TABLE readmodels_paymentsummary {statement}")

    during_the_build(monkeypatch, lambda: run("ADD COLUMN note text"))
    try:
        with pytest.raises(CatalogueChanged, match="readmodels_paymentsummary"):
            rebuild(ALL)
    finally:
        run("DROP COLUMN note")
    assert contents() == before
    assert schemas_left() == []


HANGING = {
    "view report": "CREATE VIEW report AS SELECT * FROM readmodels_paymentsummary",
    "function newest": (
        "CREATE FUNCTION newest() RETURNS SETOF readmodels_paymentsummary LANGUAGE sql"
        " AS 'SELECT * FROM readmodels_paymentsummary'"
    ),
    "trigger audited": (
        "CREATE TRIGGER audited BEFORE UPDATE ON readmodels_paymentsummary FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "publication": "CREATE PUBLICATION abroad FOR TABLE readmodels_paymentsummary",
    "statistics": "CREATE STATISTICS related ON currency, method FROM readmodels_paymentsummary",
    "row level security": "ALTER TABLE readmodels_paymentsummary ENABLE ROW LEVEL SECURITY",
    "replica identity": "ALTER TABLE readmodels_paymentsummary REPLICA IDENTITY FULL",
}
_UNHANG = """
DROP VIEW IF EXISTS report;
DROP FUNCTION IF EXISTS newest;
DROP TRIGGER IF EXISTS audited ON readmodels_paymentsummary;
DROP PUBLICATION IF EXISTS abroad;
DROP STATISTICS IF EXISTS related;
ALTER TABLE readmodels_paymentsummary DISABLE ROW LEVEL SECURITY, REPLICA IDENTITY DEFAULT;
"""


@pytest.mark.parametrize("what", HANGING)
def test_rebuild_is_refused_for_tables_with_dependent_objects(
    reviewed: None, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Regression: the swap dropped the view together with its table."""
    project()
    with session() as owner:
        try:
            during_the_build(monkeypatch, lambda: owner.execute(HANGING[what]))
            for _ in ("meanwhile", "before"):
                with pytest.raises(CatalogueChanged, match=what):
                    rebuild([SUMMARY])
                monkeypatch.undo()
            rebuild([SUMMARY], dry_run=True)
        finally:
            owner.execute(_UNHANG)
    rebuild([SUMMARY])
