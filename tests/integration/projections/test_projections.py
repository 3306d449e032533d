"""Batches apply each event once, with concurrent workers and after errors."""

import threading
import time
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.events import store
from payments.events.metadata import Metadata
from payments.events.models import Event
from payments.events.reading.horizon import HorizonHeld, UnreadableEvent
from readmodels.engine import checkpoints, lag, runner
from readmodels.models import (
    Checkpoint,
    CustomerActivity,
    DailyStatistics,
    EventIndex,
    PaymentSummary,
)
from readmodels.projections import PROJECTIONS
from readmodels.projections.kinds import Projection
from readmodels.rebuild.rebuilding import rebuild
from tests.support.api import RISKY, ApiClient, body_of, project
from tests.support.concurrency import at_once, session
from tests.support.example_events import initiated, processed
from tests.support.raw_appends import insert
from tests.support.storm import Storm

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SUMMARY = PROJECTIONS["payment_summary"]
STATISTICS = PROJECTIONS["daily_statistics"]
BY_TEST = Metadata(actor="system:test", command="process_payment")


def append(*events: Any, stream: UUID | None = None, expected: int = 0) -> UUID:
    stream = stream or uuid4()
    store.append(PAYMENT_AGGREGATE, stream, events, expected=expected, metadata=BY_TEST)
    return stream


def contents() -> list[list[Any]]:
    models = (PaymentSummary, DailyStatistics, CustomerActivity, EventIndex)
    return [list(model.objects.order_by("pk").values_list()) for model in models]


def rebuilt() -> list[list[Any]]:
    """Rebuild all tables, which reads the log stream by stream. Return the rows."""
    rebuild(list(PROJECTIONS.values()))
    return contents()


def test_batches_of_any_size_give_the_same_rows() -> None:
    client = ApiClient()
    for number in range(9):
        terms = RISKY if number % 3 == 0 else {}
        changes = terms | {"customer_id": f"c{number}", "reference": f"order-{number}"}
        payment = body_of(client.submit(**changes))
        if number % 6 == 0:
            client.post(f"/api/v1/payments/{payment['id']}/approve", {"reason": "other"})
    found = []
    for limit in (1, 2, 3, 1_000):
        Checkpoint.objects.all().delete()
        PaymentSummary.objects.all().delete()
        DailyStatistics.objects.all().delete()
        CustomerActivity.objects.all().delete()
        EventIndex.objects.all().delete()
        for projection in PROJECTIONS.values():
            while (batch := runner.run_batch(projection, limit=limit)) is not None and batch.events:
                assert batch.events <= limit
        found.append(contents())
    assert all(each == found[0] for each in found)
    assert found[0] == rebuilt()


def read(projection: Projection, limit: int = runner.BATCH) -> tuple[int, bool]:
    """Run a batch. Return its number of events, and whether more events may follow."""
    batch = runner.run_batch(projection, limit=limit)
    assert batch is not None
    return batch.events, batch.full


def test_batch_reports_whether_there_may_be_more() -> None:
    append(initiated(), processed())
    append(initiated())

    assert read(SUMMARY, limit=2) == (2, True)
    assert read(SUMMARY, limit=2) == (1, False)
    assert read(SUMMARY, limit=2) == (0, False)


def test_checkpoint_moves_to_the_last_event_and_not_to_the_horizon() -> None:
    """A sequence may step back in a crash. A checkpoint at the horizon would then skip events."""
    append(initiated())
    last = Event.objects.get().position
    with transaction.atomic():
        append(initiated())
        transaction.set_rollback(True)

    runner.catch_up(SUMMARY)

    assert Checkpoint.objects.get().position == last


def test_batch_returns_none_if_the_checkpoint_is_locked() -> None:
    append(initiated())
    runner.catch_up(SUMMARY)
    append(initiated())
    with session() as other:
        other.execute("BEGIN")
        other.execute("SELECT FROM readmodels_checkpoint FOR UPDATE")
        assert runner.run_batch(SUMMARY) is None
    assert read(SUMMARY) == (1, False)


def test_concurrent_workers_apply_each_event_once() -> None:
    """Without the lock on the checkpoint, sums would be several times too high."""
    for _ in range(60):
        append(initiated(), processed())

    def work(_: int) -> None:
        for _ in range(30):
            for projection in (STATISTICS, SUMMARY):
                runner.run_batch(projection, limit=7)

    at_once(4, work)
    project()
    assert contents() == rebuilt()
    assert DailyStatistics.objects.get().total_count == 60


class Workers:
    """Run the projections in threads, in batches of random sizes, until the end of the block."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self.errors: list[Exception] = []
        self.batches = 0
        self._threads = [
            threading.Thread(target=self._work, args=(projection, limit))
            for projection in PROJECTIONS.values()
            for limit in (3, 17)
        ]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        if self.errors:
            raise self.errors[0]

    def _work(self, projection: Projection, limit: int) -> None:
        try:
            while not self._stop.wait(0.001):
                try:
                    batch = runner.run_batch(projection, limit=limit)
                except HorizonHeld:
                    continue
                self.batches += batch is not None and batch.events > 0
        except Exception as error:  # noqa: BLE001 - finish() raises it
            self.errors.append(error)
        finally:
            connections.close_all()


@pytest.mark.slow
def test_read_models_equal_the_log_under_concurrent_writers(*, long: bool) -> None:
    """No event is missing, repeated or out of order while four workers project.

    With `horizon.last_position` instead of `safe_position` in the runner, events are missing.
    """
    workers = Workers()
    Storm(seconds=60 if long else 4).blow()
    workers.finish()
    project()
    assert workers.batches > 20
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT aggregate_id, max(version), max(position), count(*) FROM events_event"
            " GROUP BY aggregate_id"
        )
        streams = {row[0]: row[1:] for row in cursor.fetchall()}
    rows = {row.payment_id: (row.version, row.position) for row in PaymentSummary.objects.all()}
    assert rows == {
        stream: (version, position) for stream, (version, position, _) in streams.items()
    }
    events = sum(count for _, _, count in streams.values())
    assert DailyStatistics.objects.get().total_count == events > 500


@pytest.mark.slow
def test_open_append_holds_the_horizon_and_is_named() -> None:
    append(initiated())
    with session() as writer:
        writer.execute("BEGIN")
        insert(writer)
        append(initiated())
        with pytest.raises(HorizonHeld, match=f"pid {writer.info.backend_pid}"):
            runner.run_batch(SUMMARY)
        assert not PaymentSummary.objects.exists()
    project()
    assert PaymentSummary.objects.count() == 3


def append_unknown() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type,"
            " schema_version, data, metadata, occurred_at)"
            " VALUES ('payment', gen_random_uuid(), 1, 'payment.teleported', 1, '{}', '{}', now())"
        )


def test_unknown_event_type_stalls_the_projection() -> None:
    append(initiated())
    append_unknown()
    append(initiated())
    for _ in range(2):
        with pytest.raises(UnreadableEvent, match=r"payment\.teleported"):
            runner.run_batch(SUMMARY)
    assert not PaymentSummary.objects.exists()
    checkpoint = Checkpoint.objects.get()
    assert checkpoint.position == 0
    assert "payment.teleported" in checkpoint.error


def test_stalled_projection_does_not_stop_the_others() -> None:
    from readmodels.tasks import project_all

    append(initiated())
    append_unknown()
    project_all()
    assert EventIndex.objects.count() == 2
    assert Checkpoint.objects.get(name="payment_summary").error
    assert not Checkpoint.objects.get(name="event_index").error


def test_new_version_needs_a_rebuild_before_the_next_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    append(initiated())
    project()
    newer = replace(SUMMARY, version=SUMMARY.version + 1)
    append(initiated())
    with pytest.raises(
        checkpoints.RebuildNeeded, match="manage.py rebuild_projections payment_summary"
    ):
        runner.run_batch(newer)
    assert PaymentSummary.objects.count() == 1
    monkeypatch.setitem(PROJECTIONS, newer.name, newer)
    rebuild([newer])
    assert Checkpoint.objects.get(name="payment_summary").version == newer.version
    append(initiated())
    runner.run_batch(newer)
    assert PaymentSummary.objects.count() == 3


def test_workers_of_two_versions_do_not_stop_each_other() -> None:
    """Regression: newer code stored its RebuildNeeded in the checkpoint of older workers."""
    append(initiated())
    project()
    append(initiated())
    with pytest.raises(checkpoints.RebuildNeeded):
        runner.run_batch(replace(SUMMARY, version=SUMMARY.version + 1))

    (summary,) = (each for each in lag.measure() if each.name == SUMMARY.name)

    assert summary.state == "behind"
    assert read(SUMMARY) == (1, False)


def test_default_isolation_of_the_database_loses_no_event() -> None:
    """Without isolation_level in the settings, the first event would be skipped permanently."""
    runner.catch_up(SUMMARY)
    name = connection.settings_dict["NAME"]
    with session() as owner, session() as writer:
        owner.execute(
            f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'"
        )
        connection.close()
        try:
            with writer.transaction():
                insert(writer)
                insert(owner)
                batch = threading.Thread(
                    target=lambda: at_once(1, lambda _: runner.run_batch(SUMMARY))
                )
                batch.start()
                time.sleep(0.3)  # the batch waits for the writer
            batch.join()
        finally:
            owner.execute(f"ALTER DATABASE {name} RESET default_transaction_isolation")
            connection.close()
    project()

    assert PaymentSummary.objects.count() == 2


def test_lag_counts_events_and_seconds() -> None:
    append(initiated(), processed())
    project()
    append(initiated())
    with transaction.atomic():
        append(initiated())
        transaction.set_rollback(True)
    append(initiated())
    for each in lag.measure():
        assert (each.events, each.needs_rebuild, each.error) == (2, False, "")
        assert 0 < each.seconds < 10
    project()
    assert {(each.events, each.seconds) for each in lag.measure()} == {(0, 0.0)}


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def test_projections_command_shows_the_next_step() -> None:
    append(initiated())
    assert "behind" in run("projections")
    append_unknown()
    with pytest.raises(UnreadableEvent):
        runner.catch_up(SUMMARY)
    out = StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command("projections", stdout=out)
    assert exit_.value.code == 1
    assert "stalled" in out.getvalue()
    Checkpoint.objects.filter(name="payment_summary").update(version=0)
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("projections", "--json", stdout=out)
    assert '"table_version": 0' in out.getvalue()


@pytest.mark.slow
def test_rebuild_command_names_the_projections() -> None:
    append(initiated(), processed())
    output = run("rebuild_projections", "daily_statistics")
    assert "Rebuilt daily_statistics from 2 events" in output
    assert not PaymentSummary.objects.exists()
    with pytest.raises(CommandError, match="There is no projection 'nonsense'"):
        run("rebuild_projections", "nonsense")
