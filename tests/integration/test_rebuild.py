"""Rebuilding beside the live tables: readers see whole tables, writers go on, a kill changes nothing."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import psutil
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from msgspec.structs import replace

from config.stack import place
from payments.clients.models import Client
from payments.events.models import Event
from payments.traffic import history
from readmodels import checking, parking, runner
from readmodels.models import (
    Checkpoint,
    CustomerActivity,
    DailyStatistics,
    EventIndex,
    ParkedEvent,
    PaymentSummary,
)
from readmodels.projections import PROJECTIONS, daily_statistics, payment_summary
from readmodels.projections.forms import Rows
from readmodels.rebuild import AlreadyRebuilding, rebuild, schemas, swap
from readmodels.rebuild.catalogue import CatalogueChanged
from readmodels.rebuild.swap import SwapBlocked
from tests import servers
from tests.api import project
from tests.concurrency import at_once, session
from tests.examples import (
    OPERATOR,
    approved,
    flagged,
    initiated,
    processed,
    processed_after_approval,
)
from tests.poison import (
    NOON,
    POISONED,
    SOUND,
    SPOILERS,
    Spoiler,
    append,
    append_reviewed,
    spoiled,
)
from tests.raw_appends import DATA, INSERT
from tests.readers import reading

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ALL = list(PROJECTIONS.values())
SUMMARY, STATISTICS = payment_summary.PROJECTION, daily_statistics.PROJECTION
MODELS = (PaymentSummary, DailyStatistics, CustomerActivity, EventIndex)


def contents() -> list[list[Any]]:
    return [list(model.objects.order_by("pk").values_list()) for model in MODELS]


def positions() -> list[Any]:
    return list(Checkpoint.objects.order_by("name").values_list("name", "version", "position"))


def schemas_left() -> list[str]:
    with session() as looking:
        return [
            name
            for (name,) in looking.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'readmodels%'"
            )
        ]


@pytest.fixture
def filled() -> int:
    """Two thousand events, projected; returns how many payments that are."""
    history.write(Client.objects.create(name="Acme").pk, events=2_000, seed=1)
    project()
    return PaymentSummary.objects.count()


@pytest.fixture
def reviewed() -> None:
    for stream in (POISONED, SOUND):
        append_reviewed(stream)


@pytest.mark.parametrize("workers", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_rebuild_gives_the_same_rows(filled: int, workers: int) -> None:
    before, then = contents(), positions()
    PaymentSummary.objects.update(status="failed")
    DailyStatistics.objects.all().delete()
    progress: list[int] = []
    rebuilt = rebuild(ALL, workers=workers, progress=progress.append)
    assert contents() == before
    assert positions() == then
    assert rebuilt.events == 2 * filled == progress[-1]
    assert progress == sorted(progress)
    assert schemas_left() == []
    assert all(each.same for each in rebuild(ALL).comparisons)


def test_a_rebuild_of_an_empty_log_leaves_empty_tables() -> None:
    assert rebuild(ALL).events == 0
    assert {position for *_, position in positions()} == {0}
    assert schemas_left() == []


def test_what_was_wrong_is_told_by_row_and_by_sum(filled: int) -> None:
    wrong, missing = PaymentSummary.objects.order_by("pk")[:2]
    PaymentSummary.objects.filter(pk=wrong.pk).update(amount=wrong.amount + 1)
    PaymentSummary.objects.filter(pk=missing.pk).delete()
    summary, statistics = rebuild([SUMMARY, STATISTICS]).comparisons
    assert statistics.same
    assert (summary.live_rows, summary.built_rows, summary.differing) == (filled - 1, filled, 2)
    by_key = {each.key: each for each in summary.sample}
    assert by_key[str(wrong.pk)].columns == {"amount": (str(wrong.amount + 1), str(wrong.amount))}
    assert by_key[str(missing.pk)].missing
    assert sum(each.built - each.live for each in summary.totals) == missing.amount - 1
    assert 1 <= len(summary.differing_days) <= 2


@pytest.mark.slow
def test_readers_and_writers_go_on(filled: int) -> None:
    """Seen to fail: with LOCK_TIMEOUT 5 s deadlocks end readers or the swap, with LOCK TABLE and without."""
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
                # No more than a worker is at it: the swap waits for a gap in which nobody holds a checkpoint.
                time.sleep(0.05)
        except Exception as error:  # noqa: BLE001 - asserted below
            errors.append(error)
        finally:
            connections.close_all()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        # Seven at once: at the usual pace they leave a slow machine no moment in which none reads.
        with reading(pause=0.1) as seen:
            for _ in range(2):
                rebuild(ALL)
    finally:
        done.set()
        writer.join()
    assert errors == seen.errors == []
    assert seen.fewest >= filled
    assert seen.longest_wait < 0.5
    assert seen.reads > 50
    project()
    after = contents()
    assert len(after[0]) > filled
    rebuild(ALL)
    assert contents() == after


@contextmanager
def command(*arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """manage.py on the test's database."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
    }
    with subprocess.Popen(
        [sys.executable, str(place.PROJECT / "manage.py"), *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        yield child


def wait_until(condition: str) -> None:
    with session() as looking:
        for _ in range(3_000):
            if looking.execute(f"SELECT {condition}").fetchone() == (True,):
                return
            time.sleep(0.005)
    pytest.fail(f"never: {condition}")


BUILDING = (
    "(SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'FETCH%streams%'"
    " AND datname = current_database() AND pid <> pg_backend_pid())"
)
SWAPPING = (
    "(SELECT count(*) > 0 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted"
    " AND relation = to_regclass('public.readmodels_dailystatistics'))"
)


@pytest.mark.slow
@pytest.mark.parametrize("phase", [BUILDING, SWAPPING], ids=["building", "swapping"])
def test_a_rebuild_that_is_killed_changes_nothing(filled: int, phase: str) -> None:
    history.write(Client.objects.get().pk, events=20_000, seed=2)
    project()
    before, then = contents(), positions()
    with session() as reader, reader.transaction():
        reader.execute("SELECT FROM readmodels_dailystatistics")  # no moment for the swap
        with command("rebuild_projections", "--workers", "2") as child:
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


def test_a_second_rebuild_is_refused(reviewed: None) -> None:
    with session() as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('readmodels.rebuild', 0))")
        with pytest.raises(AlreadyRebuilding):
            rebuild(ALL)


def dump() -> str:
    """The schema as pg_dump writes it, without the keys that it draws for each dump."""
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


def test_the_catalogue_is_what_migrations_made(filled: int) -> None:
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


def during_the_build(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Have `change` happen after the tables were built and compared, before the swap."""
    swap_in = swap.into_place

    def change_and_swap(*arguments: Any, **options: Any) -> None:
        change()
        swap_in(*arguments, patience=0.5, **options)

    monkeypatch.setattr(swap, "into_place", change_and_swap)


def test_a_migration_meanwhile_stops_the_swap(
    reviewed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail: without catalogue.check in the swap the new column is lost."""
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
    "trigger told": (
        "CREATE TRIGGER told BEFORE UPDATE ON readmodels_paymentsummary FOR EACH ROW"
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
DROP TRIGGER IF EXISTS told ON readmodels_paymentsummary;
DROP PUBLICATION IF EXISTS abroad;
DROP STATISTICS IF EXISTS related;
ALTER TABLE readmodels_paymentsummary DISABLE ROW LEVEL SECURITY, REPLICA IDENTITY DEFAULT;
"""


@pytest.mark.parametrize("what", HANGING)
def test_what_hangs_on_a_table_is_not_lost(
    reviewed: None, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Seen to fail: the view was dropped with the table that it was made for."""
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


@pytest.mark.slow
def test_an_event_that_the_code_does_not_know_is_named_by_every_process(reviewed: None) -> None:
    """Seen to fail: an exception that cannot be pickled breaks the pool, and tells nothing."""
    with session() as writer:
        writer.execute(
            INSERT.replace("payment.initiated", "payment.teleported"),
            {"stream": SOUND, "data": DATA},
        )
    with pytest.raises(CommandError, match=r"no event 'payment\.teleported'"):
        call_command("rebuild_projections", "--workers", "2", stdout=StringIO())


@pytest.mark.parametrize("setting", ["statement_timeout = '1ms'", "search_path = other, public"])
def test_what_the_database_begins_with_is_told_or_does_not_matter(
    filled: int, setting: str
) -> None:
    name = connection.settings_dict["NAME"]
    before = contents()
    with session() as owner:
        owner.execute("CREATE SCHEMA other")
        owner.execute(f"ALTER DATABASE {name} SET {setting}")
        connection.close()
        try:
            if "timeout" in setting:
                with pytest.raises(CommandError, match=r"Nothing was changed\. .*timeout"):
                    call_command("rebuild_projections", "--workers", "1", stdout=StringIO())
            else:
                rebuild(ALL)
        finally:
            owner.execute(f"ALTER DATABASE {name} RESET ALL")
            owner.execute("DROP SCHEMA other CASCADE")
            connection.close()
    assert contents() == before


def test_a_rebuild_whose_schemas_cannot_be_removed_is_done(
    reviewed: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Seen to fail: the command said that nothing was changed."""
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
    assert "readmodels_retired is left" in caplog.text
    assert not PaymentSummary.objects.filter(method="cash").exists()
    monkeypatch.undo()
    rebuild([SUMMARY])
    assert schemas_left() == []


def test_a_swap_that_finds_no_moment_names_who_is_in_the_way(
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


def test_events_that_come_meanwhile_are_in_what_is_swapped_in(
    reviewed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail: without runner.advance under the checkpoint lock the position goes back."""

    def go_on(_: int) -> None:
        append(UUID(int=3), initiated(), processed())
        project()

    swap_now = swap._swap

    def go_on_and_swap(*arguments: Any) -> None:
        at_once(1, go_on)  # on a connection of its own
        swap_now(*arguments)

    monkeypatch.setattr(swap, "_swap", go_on_and_swap)
    rebuild(ALL)
    assert PaymentSummary.objects.count() == 3
    assert {position for *_, position in positions()} == {Event.objects.latest("pk").pk}


@pytest.mark.parametrize("spoiler", SPOILERS)
@pytest.mark.parametrize("projection", [SUMMARY, STATISTICS], ids=["rows", "counters"])
def test_a_rebuild_parks_what_catching_up_parks(
    reviewed: None, monkeypatch: pytest.MonkeyPatch, projection: Any, spoiler: Spoiler
) -> None:
    bad = spoiled(projection, spoiler)
    monkeypatch.setitem(PROJECTIONS, bad.name, bad)

    def parked() -> list[Any]:
        fields = ("aggregate_id", "position", "version", "event_type", "error", "attempts")
        return list(ParkedEvent.objects.order_by("position").values_list(*fields))

    runner.catch_up(bad)
    before = contents(), parked()
    assert [version for _, _, version, *_ in before[1]] == [3, 4]
    ParkedEvent.objects.all().delete()
    rebuild([bad])
    assert (contents(), parked()) == before


@pytest.mark.parametrize("projection", [SUMMARY, STATISTICS], ids=["rows", "counters"])
def test_a_rebuild_honours_what_was_discarded(
    reviewed: None, monkeypatch: pytest.MonkeyPatch, projection: Any
) -> None:
    bad = spoiled(projection, SPOILERS[0])
    runner.catch_up(bad)
    position = ParkedEvent.objects.earliest("position").position
    parking.discard(bad, position, reason="Entered twice", by=OPERATOR, at=NOON)
    before = contents()
    assert all(each.same for each in rebuild([projection]).comparisons)
    assert contents() == before


def test_a_discard_meanwhile_stops_the_swap(
    reviewed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail: without the look at what is discarded, the swap brings the event back."""
    bad = spoiled(SUMMARY, SPOILERS[0])
    runner.catch_up(bad)
    position = ParkedEvent.objects.earliest("position").position
    during_the_build(
        monkeypatch,
        lambda: parking.discard(bad, position, reason="Entered twice", by=OPERATOR, at=NOON),
    )
    with pytest.raises(CatalogueChanged, match="discarded"):
        rebuild([SUMMARY])


def test_a_rebuild_takes_what_older_code_filled(reviewed: None) -> None:
    project()
    newer = replace(SUMMARY, version=SUMMARY.version + 1)
    rebuild([SUMMARY])
    Checkpoint.objects.filter(name=SUMMARY.name).update(version=99, error="RebuildNeeded: ...")
    rebuild([SUMMARY])
    checkpoint = Checkpoint.objects.get(name=SUMMARY.name)
    assert (checkpoint.version, checkpoint.error) == (SUMMARY.version, "")
    assert newer.version == SUMMARY.version + 1


def test_the_command_says_what_it_did(reviewed: None) -> None:
    project()
    out = StringIO()
    call_command("rebuild_projections", "payment_summary", "--workers", "1", stdout=out)
    assert "payment_summary: 2 rows, all the same" in out.getvalue()
    assert "Rebuilt payment_summary from 8 events" in out.getvalue()


def test_a_dry_run_tells_and_changes_nothing(reviewed: None) -> None:
    project()
    call_command("rebuild_projections", "--dry-run", "--workers", "1", stdout=StringIO())
    PaymentSummary.objects.filter(pk=SOUND).update(method="cash", amount=5)
    before = contents()
    out = StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command("rebuild_projections", "--dry-run", "--workers", "1", stdout=out)
    assert exit_.value.code == 2
    assert f"{SOUND}: amount 5 instead of " in out.getvalue()
    assert "method cash instead of credit_card" in out.getvalue()
    assert contents() == before
    assert schemas_left() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["payments"], "no projection 'payments'"),
        (["--as-of", "yesterday"], "'yesterday' is no time such as"),
        (["--as-of", "2026-13-01"], "'2026-13-01' is no time such as"),
        (["--workers", "0"], "'0' is not between 1 and 64"),
        (["--dry-run", "--as-of", "2026-01-01"], "not allowed with"),
    ],
)
def test_bad_arguments_get_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("rebuild_projections", *arguments)


def test_as_of_leaves_tables_to_look_at() -> None:
    append(SOUND, initiated(), flagged())
    then = Event.objects.latest("pk").recorded_at + timedelta(microseconds=1)
    append(SOUND, approved(), processed_after_approval(), expected=2)
    append(POISONED, initiated(), processed())
    project()
    before = contents()
    out = StringIO()
    call_command("rebuild_projections", "--as-of", then.isoformat(), "--workers", "1", stdout=out)
    assert "from 2 events" in out.getvalue()
    assert contents() == before
    try:
        with schemas.inside(schemas.AS_OF):
            assert [(row.pk, row.status) for row in PaymentSummary.objects.all()] == [
                (SOUND, "pending_review")
            ]
            assert EventIndex.objects.count() == 2
            assert DailyStatistics.objects.get().open_reviews == 1
        assert PaymentSummary.objects.count() == 2
    finally:
        schemas.drop(schemas.AS_OF)


@pytest.mark.slow
def test_a_check_of_everything_tells_what_drifted(reviewed: None) -> None:
    project()
    call_command("projections", "--check", stdout=StringIO())
    DailyStatistics.objects.update(completed_count=7)
    CustomerActivity.objects.all().delete()
    out = StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command("projections", "--check", stdout=out)
    assert exit_.value.code == 2
    assert "payment_summary: 2 rows, all the same" in out.getvalue()
    assert "completed_count 7 instead of 2" in out.getvalue()
    assert "the row is missing" in out.getvalue()


def test_a_check_of_a_sample_tells_what_drifted(filled: int) -> None:
    call_command("projections", "--check", "--sample", "50", stdout=StringIO())
    PaymentSummary.objects.update(method="cash")
    PaymentSummary.objects.filter(status="failed").delete()
    checked = checking.check_sample(SUMMARY, 50)
    assert len(checked.drifted) == checked.rows > 20
    out = StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command("projections", "--check", "--sample", "50", stdout=out)
    assert exit_.value.code == 2
    assert "method cash instead of" in out.getvalue()


def test_a_check_of_a_sample_knows_what_is_parked_and_discarded(reviewed: None) -> None:
    bad = spoiled(SUMMARY, SPOILERS[0])
    assert isinstance(bad, Rows)
    runner.catch_up(bad)
    assert checking.check_sample(bad, 5).drifted == ()  # the smallest id is the poisoned one
    position = ParkedEvent.objects.earliest("position").position
    parking.discard(bad, position, reason="Entered twice", by=OPERATOR, at=NOON)
    assert checking.check_sample(SUMMARY, 5) == checking.Checked("payment_summary", 1, ())


def test_a_check_of_a_sample_tells_what_new_code_cannot_take(reviewed: None) -> None:
    """Seen to fail: what the function raised ended the command."""
    runner.catch_up(SUMMARY)
    bad = spoiled(SUMMARY, SPOILERS[0])
    assert isinstance(bad, Rows)
    (drifted,) = checking.check_sample(bad, 5).drifted
    assert (drifted.key, drifted.columns["status"]) == (
        str(POISONED),
        ("completed", "pending_review"),
    )


@pytest.mark.parametrize("arguments", [["--sample", "5"], ["--check", "--sample", "0"]])
def test_a_sample_needs_a_number_and_a_check(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="--sample"):
        call_command("projections", *arguments)


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_removing_retired_tables_is_in_no_readers_way(order: tuple[str, str]) -> None:
    """Seen to fail: without the timeout, one order is a deadlock that ends the reader."""
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
