"""Every event is sealed once, in one chain, while others write, seal and are killed.

Each test fails without its protection. Without the horizon, a late commit is never sealed.
Without the primary key, two sealers make two chains.
"""

import random
import threading
import time

import pytest

from config.celery import app
from payments.events import tasks
from payments.events.models import Event, Seal
from payments.events.reading import horizon
from payments.events.seals import keys, seal, sealing, verifying
from tests.support.concurrency import at_once, session
from tests.support.raw_appends import Session, insert
from tests.support.tampering import found, manage

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("small_seals"),
    pytest.mark.slow,
]


def test_workers_know_every_task_of_the_beat_schedule() -> None:
    app.loader.import_default_modules()

    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}

    assert "events.seal" in scheduled
    assert scheduled <= set(app.tasks)


def test_seal_task_seals_new_events(writer: Session) -> None:
    insert(writer)
    assert 0 < sealing.unsealed_seconds() < 60
    tasks.seal()
    assert sealing.unsealed_seconds() == 0
    assert verifying.verify(keys.trusted()).events == 1


def test_seal_task_logs_that_it_waits(writer: Session, caplog: pytest.LogCaptureFixture) -> None:
    writer.execute("BEGIN")
    insert(writer)
    tasks.seal()

    assert "Sealing waits" in caplog.text
    assert f"pid {writer.info.backend_pid}" in caplog.text


def test_sealing_does_not_skip_an_uncommitted_event(writer: Session) -> None:
    writer.execute("BEGIN")
    early = insert(writer)
    with session() as other:
        late = insert(other)
    with pytest.raises(horizon.HorizonHeld):
        list(sealing.seal_all(patience=0.05))
    writer.execute("COMMIT")

    (statement,) = sealing.seal_all()

    assert (statement.events, statement.last) == (2, late)
    assert early < late
    assert found() == []


def test_seal_ends_with_an_event(writer: Session) -> None:
    """A seal must not cover uncommitted positions: after a crash, they may be assigned again."""
    last = insert(writer)
    with writer.transaction(force_rollback=True):
        insert(writer)

    (statement,) = sealing.seal_all()

    assert statement.last == last


def test_concurrent_sealers_make_one_chain(writer: Session) -> None:
    for _ in range(40):
        insert(writer)
    made = at_once(4, lambda _: [each.number for each in sealing.seal_all()])
    assert sorted(number for numbers in made for number in numbers) == list(range(1, 11))
    report = verifying.verify(keys.trusted())
    assert (report.events, report.findings.total) == (40, 0)


def test_concurrent_writers_and_sealers_seal_every_event_once(writer: Session) -> None:
    """No event is skipped, and no later event is stored in a sealed range."""
    done = threading.Event()

    def work(number: int) -> None:
        if number < 2:
            while not done.is_set():
                list(sealing.seal_all(patience=10))
            return
        with session() as mine:
            for turn in range(60):
                with mine.transaction(force_rollback=turn % 5 == 0):
                    insert(mine)
                    time.sleep(random.uniform(0, 0.003))
        done.set()

    at_once(5, work)
    list(sealing.seal_all(patience=10))
    report = verifying.verify(keys.trusted())
    assert report.findings.total == 0
    assert report.events == Event.objects.count()


@pytest.mark.slow
def test_killed_sealer_leaves_whole_seals(writer: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single statement stores a seal, so it is stored completely or not at all."""
    monkeypatch.setattr(seal, "MOST_EVENTS", 10_000)
    stream = "INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type,"
    writer.execute(
        f"{stream} schema_version, data, metadata, occurred_at) SELECT 'payment',"
        " gen_random_uuid(), 1, 'payment.initiated', 1, '{}', '{}', now()"
        " FROM generate_series(1, 60000)"
    )
    sealer = manage("seal_events")
    while not Seal.objects.exists():
        assert sealer.poll() is None
    sealer.kill()
    sealer.communicate()
    assert found() == []
    list(sealing.seal_all())
    report = verifying.verify(keys.trusted())
    assert (report.events, report.findings.total) == (60_000, 0)
