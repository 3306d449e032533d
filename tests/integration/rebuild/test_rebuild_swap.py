"""A rebuild stops neither readers nor writers. A killed rebuild changes nothing."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
from django.db import connections

from payments.clients.models import Client
from payments.traffic import history
from readmodels.engine import runner
from readmodels.models import PaymentSummary
from readmodels.rebuild import schemas, swap
from readmodels.rebuild.rebuilding import AlreadyRebuilding, rebuild
from readmodels.rebuild.swap import SwapBlocked
from tests.support.api import project
from tests.support.concurrency import at_once, session
from tests.support.readers import reading
from tests.support.rebuilding import (
    ALL,
    SUMMARY,
    SWAPPING,
    contents,
    during_the_build,
    manage,
    positions,
    schemas_left,
    wait_until,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_rebuild_does_not_stop_readers_and_writers(filled: int) -> None:
    """With a LOCK_TIMEOUT of 5 s, deadlocks would end readers or the swap."""
    done = threading.Event()
    errors: list[Exception] = []

    def write() -> None:
        try:
            client = Client.objects.get()
            number = 1
            while not done.is_set():
                number += 1
                history.write(client.pk, events=10, seed=number)
                project()
                # Pauses like a worker: the swap needs a moment without a locked checkpoint.
                time.sleep(0.05)
        except Exception as error:  # noqa: BLE001 - asserted below
            errors.append(error)
        finally:
            connections.close_all()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        # On a slow machine, the default pause would leave the swap no moment without a read.
        with reading(pause=0.1) as seen:
            for _ in range(2):
                rebuild(ALL)
    finally:
        done.set()
        writer.join()
    assert errors == seen.errors == []
    assert seen.fewest >= filled
    assert seen.longest_wait < 1  # PostgreSQL resolves a deadlock only after a second
    assert seen.reads > 50
    project()
    after = contents()
    assert len(after[0]) > filled
    rebuild(ALL)
    assert contents() == after


BUILDING = (
    "(SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'FETCH%streams%'"
    " AND datname = current_database() AND pid <> pg_backend_pid())"
)


@pytest.mark.parametrize("events", [1_000, pytest.param(20_000, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("phase", [BUILDING, SWAPPING], ids=["building", "swapping"])
def test_killed_rebuild_changes_nothing(filled: int, phase: str, events: int) -> None:
    history.write(Client.objects.get().pk, events=events, seed=2)
    project()
    before, then = contents(), positions()
    with session() as reader, reader.transaction():
        reader.execute("SELECT FROM readmodels_dailystatistics")  # leaves no moment for the swap
        with manage("rebuild_projections", "--workers", "2") as child:
            wait_until(phase)
            processes = psutil.Process(child.pid).children(recursive=True)
            child.kill()
            child.wait()
        assert psutil.wait_procs(processes, timeout=5)[1] == []
    assert (contents(), positions()) == (before, then)
    wait_until("NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')")
    rebuild(ALL)
    assert (contents(), positions()) == (before, then)
    assert schemas_left() == []


def test_server_cancels_the_statement_of_a_killed_rebuild(db: None) -> None:
    """Otherwise, the server would finish an index first, and block the next rebuild."""
    sleeping = (
        "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
        " AND state = 'active' AND datname = current_database())"
    )
    code = (
        "from django.db import connection; from readmodels.rebuild import schemas\n"
        "with schemas.inside('public'):\n"
        "    connection.cursor().execute('SELECT pg_sleep(600)')"
    )
    with manage("shell", "--no-imports", "-c", code) as child:
        wait_until(sleeping)
        child.kill()
    wait_until(f"NOT {sleeping}")


def test_second_rebuild_is_refused(reviewed: None) -> None:
    with session() as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('readmodels.rebuild', 0))")
        with pytest.raises(AlreadyRebuilding):
            rebuild(ALL)


def test_rebuild_succeeds_if_its_schemas_cannot_be_dropped(
    reviewed: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: the command reported that nothing was changed."""
    with session() as reader:
        swap_in = swap.into_place

        def swap_and_hold(*arguments: Any) -> None:
            swap_in(*arguments)
            reader.execute("BEGIN; SELECT FROM readmodels_retired.readmodels_paymentsummary")
            monkeypatch.setattr(schemas, "_PATIENCE", 0.1)

        runner.catch_up(SUMMARY)
        PaymentSummary.objects.update(method="cash")
        monkeypatch.setattr(swap, "into_place", swap_and_hold)
        assert not rebuild([SUMMARY]).comparisons[0].same
    assert "readmodels_retired stays" in caplog.text
    assert not PaymentSummary.objects.filter(method="cash").exists()
    monkeypatch.undo()
    rebuild([SUMMARY])
    assert schemas_left() == []


def test_blocked_swap_names_the_blocking_sessions(
    reviewed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    project()
    before = contents()
    during_the_build(monkeypatch, lambda: None)

    with session() as reader, reader.transaction():
        reader.execute("SELECT FROM readmodels_eventindex")
        with pytest.raises(SwapBlocked, match=f"pid {reader.info.backend_pid}"):
            rebuild(ALL)

    assert contents() == before


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_dropping_retired_tables_does_not_block_readers(order: tuple[str, str]) -> None:
    """Without the timeout, one of the orders is a deadlock that ends the reader."""
    schemas.create(schemas.RETIRED)
    first, second = (f"{schemas.RETIRED}.{name}" for name in order)
    with session() as reader:
        for name in ("a", "b"):
            reader.execute(f"CREATE TABLE {schemas.RETIRED}.{name} ()")
        reader.execute("BEGIN")
        reader.execute(f"SELECT FROM {first}")
        with ThreadPoolExecutor(1) as pool:
            dropping = pool.submit(at_once, 1, lambda _: schemas.drop(schemas.RETIRED))
            time.sleep(0.3)
            reader.execute(f"SELECT FROM {second}")
            assert not dropping.done()
            reader.execute("COMMIT")
            dropping.result()
    assert schemas_left() == []
