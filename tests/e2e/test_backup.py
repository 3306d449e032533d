"""The backup drill of config/README.md: back up, restore into another cluster, verify, continue."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest

from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.e2e.service import Service, wait_for
from tests.e2e.test_faults import EVENTS, PROJECTED, all_projected
from tests.support import clusters

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

# The oldest supported version. If it is not installed, both clusters have the same version.
OLDEST: Final = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def old_postgres() -> Iterator[Postgres]:
    with clusters.cluster(programs=OLDEST if (OLDEST / "initdb").exists() else None) as server:
        yield server


@pytest.fixture
def new_postgres() -> Iterator[Postgres]:
    with clusters.cluster(prepared=False) as server:
        yield server


def test_restored_service_continues_from_its_checkpoints(
    old_postgres: Postgres, new_postgres: Postgres, own_valkey: Valkey, tmp_path: Path
) -> None:
    old, new = Service(old_postgres, own_valkey), Service(new_postgres, own_valkey)
    dump, head = tmp_path / "payments.dump", tmp_path / "head.json"
    try:
        old.start_web()
        worker = old.start_worker()
        old.start_beat()
        posted = [old.post()[1]["id"] for _ in range(20)]
        wait_for(lambda: all_projected(old))
        worker.terminate()
        worker.wait()
        posted += [old.post()[1]["id"] for _ in range(5)]  # not projected yet
        old.manage("seal_events")
        old.manage("verify_events", "--export", str(head))
    finally:
        old.stop()
    # A newer pg_dump than the old cluster's writes parts of 15.20's catalogue that servers refuse.
    _run(old_postgres, "pg_dump", "-Fc", "-f", str(dump), old_postgres.url("payments"))
    new_postgres.create_database("payments")
    with psycopg.connect(new_postgres.url("payments")) as owner:
        owner.execute(f"CREATE ROLE {clusters.ROLE} LOGIN")
    _run(
        new_postgres, "pg_restore", "--exit-on-error", "-d", new_postgres.url("payments"), str(dump)
    )
    assert "match their seals" in new.manage("verify_events", "--against", str(head))
    assert int(new.query(PROJECTED)) == 20
    try:
        new.key = old.key
        new.start_web()
        new.start_worker()
        new.start_beat()
        posted.append(new.post()[1]["id"])
        wait_for(lambda: all_projected(new))
        assert int(new.query(EVENTS)) == 2 * len(posted) == 52
        for payment_id in posted:
            assert new.get(f"/api/v1/payments/{payment_id}")[0] == 200
    finally:
        new.stop()
    assert "all the same" in new.manage("projections", "--check", as_owner=True)
    # Truncate the log and its seals. The rest no longer matches the exported head.
    with psycopg.connect(new_postgres.url("payments")) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("DELETE FROM events_seal")
        owner.execute("DELETE FROM events_event WHERE position > 45")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        new.manage("verify_events", "--against", str(head))
    assert failed.value.returncode == 1


def _run(server: Postgres, program: str, *arguments: str) -> None:
    subprocess.run([server.binaries / program, *arguments], check=True)
