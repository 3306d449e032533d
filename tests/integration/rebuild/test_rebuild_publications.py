"""A rebuild does not stop a logical replica."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psycopg
import pytest
from django.core.management import CommandError, call_command

from config.stack import place
from config.stack.postgres import Postgres
from tests.support.commands import run
from tests.support.concurrency import session
from tests.support.rebuilding import contents, positions, schemas_left

pytestmark = pytest.mark.slow


@pytest.fixture
def published() -> Iterator[None]:
    with session() as owner:
        owner.execute("CREATE PUBLICATION everything FOR ALL TABLES")
        yield
        owner.execute("DROP PUBLICATION everything")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    "command",
    [
        ["rebuild_projections"],
        ["rebuild_projections", "payment_summary", "--dry-run"],
        ["rebuild_projections", "--as-of", "2026-01-01"],
        ["projections", "--check"],
    ],
    ids=" ".join,
)
def test_rebuild_is_refused_if_all_tables_are_published(filled: int, command: list[str]) -> None:
    before = contents(), positions()
    with pytest.raises(CommandError, match="publication everything is FOR ALL TABLES"):
        call_command(*command)

    assert schemas_left() == []
    assert (contents(), positions()) == before


@pytest.mark.django_db(transaction=True)
def test_rebuild_works_if_the_live_schema_is_published(filled: int) -> None:
    with session() as owner:
        owner.execute("CREATE PUBLICATION schema_only FOR TABLES IN SCHEMA public")
        try:
            assert "Rebuilt" in run("rebuild_projections", "--workers", "1")[0]
        finally:
            owner.execute("DROP PUBLICATION schema_only")


@pytest.fixture
def logical_postgres(own_postgres: Postgres) -> Postgres:
    own_postgres.create_database("payments")
    own_postgres.create_database("replica")
    with psycopg.connect(own_postgres.url("postgres"), autocommit=True) as owner:
        owner.execute("ALTER SYSTEM SET wal_level = logical")
    own_postgres.stop()
    own_postgres.start()
    return own_postgres


@pytest.mark.parametrize("covers", ["ALL TABLES", "TABLES IN SCHEMA public"])
def test_replica_continues_after_a_rebuild(logical_postgres: Postgres, covers: str) -> None:
    server = logical_postgres
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": server.url("payments"),
    }

    def manage(*arguments: str) -> int:
        command = [sys.executable, str(place.PROJECT / "manage.py"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode

    assert manage("migrate") == 0
    assert manage("simulate_payments", "--history", "200") == 0
    schema = subprocess.run(
        [server.binaries / "pg_dump", "--schema-only", server.url("payments")],
        capture_output=True,
        check=True,
    ).stdout
    subprocess.run(
        [server.binaries / "psql", "-Xq", server.url("replica")],
        input=schema,
        capture_output=True,
        check=True,
    )
    with (
        psycopg.connect(server.url("payments"), autocommit=True) as home,
        psycopg.connect(server.url("replica"), autocommit=True) as replica,
    ):
        home.execute(f"CREATE PUBLICATION followed FOR {covers}")
        # In one cluster, a subscription that makes its own slot would wait for itself.
        home.execute("SELECT pg_create_logical_replication_slot('followed', 'pgoutput')")
        replica.execute(
            f"CREATE SUBSCRIPTION followed CONNECTION '{server.url('payments')}'"
            " PUBLICATION followed WITH (create_slot = false)"
        )

        def events(connection: psycopg.Connection[tuple[int]]) -> int:
            row = connection.execute("SELECT count(*) FROM events_event").fetchone()
            return row[0] if row else 0

        def has_caught_up() -> bool:
            deadline = time.monotonic() + 60
            while events(replica) != events(home) and time.monotonic() < deadline:
                time.sleep(0.1)
            return events(replica) == events(home)

        assert has_caught_up()
        assert manage("rebuild_projections") == (1 if covers == "ALL TABLES" else 0)
        assert manage("simulate_payments", "--history", "300", "--seed", "2") == 0
        assert events(home) > 400
        assert has_caught_up()
        replica.execute("ALTER SUBSCRIPTION followed DISABLE")
        replica.execute("ALTER SUBSCRIPTION followed SET (slot_name = NONE)")
        replica.execute("DROP SUBSCRIPTION followed")
