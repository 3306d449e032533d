"""Each part has one worker at a time. Killed workers, cancellations and a queue lose nothing."""

import signal
import subprocess
import sys
from datetime import timedelta
from typing import Final

import pytest
from django.db import connection
from django.utils import timezone

from config.stack import place
from payments.domain.backtest.question import Mode
from payments.events.models import Event
from readmodels.backtests import facts, leases, requests, tasks, working
from readmodels.backtests.leases import LEASE, Lease, NoPart
from readmodels.backtests.models import Backtest, BacktestPart, PartState, State
from tests.support import backtests, servers
from tests.support.backtests import ask, finished, submit_many, work_on
from tests.support.concurrency import at_once
from tests.support.examples import NOON, OPERATOR
from tests.support.raw_appends import Session
from tests.support.tampering import change_event

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# A program that kills itself in the middle of a part, after finishing some parts.
_KILLED: Final = """
import os, signal, sys
from uuid import UUID
import django
django.setup()
from django.utils import timezone
from readmodels.backtests import facts, leases, working
def killing(work):
    def killed(*arguments, **options):
        work(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    return killed
backtest, done = UUID(sys.argv[1]), int(sys.argv[2])
for _ in range(done):
    working.do(leases.claim(backtest, at=timezone.now()))
# At this point the facts of the next part are written or deleted, and not committed.
facts.store, facts.delete_slice = killing(facts.store), killing(facts.delete_slice)
while working.take_turn(backtest):
    pass
"""


def test_two_workers_come_to_the_result_of_one(small_parts: None) -> None:
    submit_many()
    alone = {mode: finished(mode=mode).digest for mode in Mode}

    for mode in Mode:
        backtest = ask(mode=mode)
        at_once(3, lambda _, asked=backtest.pk: work_on(asked))  # type: ignore[misc]
        backtest.refresh_from_db()

        assert (backtest.state, backtest.digest) == (State.DONE, alone[mode])
    assert backtests.facts() == 0


@pytest.mark.parametrize("done", [0, 3, 12])
def test_killed_worker_changes_neither_the_result_nor_leaves_facts(
    small_parts: None, done: int
) -> None:
    submit_many()
    alone = finished(mode=Mode.RECONSTRUCTED)
    killed = ask(mode=Mode.RECONSTRUCTED)

    _run_and_kill(killed, done)
    at = timezone.now()
    held = killed.parts.get(state=PartState.RUNNING)
    taken = leases.claim(killed.pk, at=at + LEASE + timedelta(seconds=1))

    assert killed.parts.filter(state=PartState.DONE).count() == done
    assert isinstance(taken, Lease)
    assert taken.number == held.number
    working.do(taken)
    work_on(killed.pk)
    killed.refresh_from_db()
    assert killed.digest == alone.digest
    assert backtests.facts() == 0


def test_part_of_a_live_worker_is_not_taken(small_parts: None) -> None:
    submit_many(10)
    backtest = ask()
    now = timezone.now()
    first = leases.claim(backtest.pk, at=now)
    assert isinstance(first, Lease)

    leases.renew(first, at=now + timedelta(seconds=50))
    second = leases.claim(backtest.pk, at=now + timedelta(seconds=70))

    assert isinstance(second, Lease)
    assert second.number != first.number


def test_worker_that_lost_its_lease_stores_nothing(small_parts: None) -> None:
    submit_many(10)
    backtest = ask(mode=Mode.RECONSTRUCTED)
    lease = leases.claim(backtest.pk, at=timezone.now())
    assert isinstance(lease, Lease)
    BacktestPart.objects.filter(number=lease.number).update(lease=backtest.pk)

    working.do(lease)

    assert backtest.parts.filter(state=PartState.DONE).count() == 0
    assert backtests.facts() == 0


def test_third_backtest_waits_until_one_of_two_has_ended(small_parts: None) -> None:
    submit_many(10)
    first, second, third = ask(), ask(), ask()
    now = timezone.now()
    for each in (first, second):
        assert isinstance(leases.claim(each.pk, at=now), Lease)

    assert leases.claim(third.pk, at=now) is NoPart.QUEUED

    requests.cancel(first.pk, by=OPERATOR, at=now)
    assert isinstance(leases.claim(third.pk, at=now), Lease)


def test_interrupted_backtest_frees_its_place_in_the_queue(small_parts: None) -> None:
    submit_many(10)
    first, second, third = ask(), ask(), ask()
    now = timezone.now()
    for each in (first, second):
        leases.claim(each.pk, at=now)

    leases.release_all(first.pk)

    assert isinstance(leases.claim(third.pk, at=now), Lease)
    assert leases.claim(first.pk, at=now) is NoPart.QUEUED
    assert isinstance(leases.claim(first.pk, at=now + 2 * LEASE), Lease)


def test_cancelled_backtest_ends_its_workers_and_leaves_no_facts(small_parts: None) -> None:
    submit_many()
    backtest = ask(mode=Mode.RECONSTRUCTED)
    for _ in range(3):
        lease = leases.claim(backtest.pk, at=timezone.now())
        assert isinstance(lease, Lease)
        working.do(lease)
    late = leases.claim(backtest.pk, at=timezone.now())
    assert isinstance(late, Lease)
    assert backtests.facts() > 0

    requests.cancel(backtest.pk, by=OPERATOR, at=NOON)
    working.do(late)
    work_on(backtest.pk)

    backtest.refresh_from_db()
    assert (backtest.state, backtest.finished_at) == (State.CANCELLED, NOON)
    assert (backtests.facts(), BacktestPart.objects.count()) == (0, 0)
    with pytest.raises(requests.BacktestEnded):
        requests.cancel(backtest.pk, by=OPERATOR, at=NOON)


def test_facts_of_ended_backtests_are_swept(small_parts: None) -> None:
    submit_many()
    ended, running = ask(mode=Mode.RECONSTRUCTED), ask(mode=Mode.RECONSTRUCTED)
    for each in (ended, running):
        for _ in range(3):
            lease = leases.claim(each.pk, at=timezone.now())
            assert isinstance(lease, Lease)
            working.do(lease)
    before = backtests.facts()
    Backtest.objects.filter(pk=ended.pk).delete()

    tasks.sweep()

    assert backtests.facts() == before // 2
    assert facts.sweep() == 0


def test_backtest_begins_again_if_a_crash_of_the_server_emptied_the_facts(
    small_parts: None, caplog: pytest.LogCaptureFixture
) -> None:
    submit_many()
    expected = finished(mode=Mode.RECONSTRUCTED).digest
    backtest = ask(mode=Mode.RECONSTRUCTED)
    for _ in range(4):
        lease = leases.claim(backtest.pk, at=timezone.now())
        assert isinstance(lease, Lease)
        working.do(lease)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE backtests_fact")

    work_on(backtest.pk)

    backtest.refresh_from_db()
    assert backtest.digest == expected
    assert "its facts were lost" in caplog.text


def test_unreadable_event_fails_the_backtest_with_its_position(
    small_parts: None, superuser: Session
) -> None:
    submit_many(10)
    event = Event.objects.order_by("position")[9]
    backtest = ask()
    change_event(superuser, event.position, "data = data - 'amount'")

    work_on(backtest.pk)

    backtest.refresh_from_db()
    assert backtest.state == State.FAILED
    assert f"position {event.position} (stream {event.aggregate_id})" in backtest.error
    assert BacktestPart.objects.count() == 0


def test_workers_of_the_service_answer_only_requests_for_them(small_parts: None) -> None:
    submit_many(10)
    mine = ask()
    theirs = ask()
    requests.resume(theirs.pk, by=OPERATOR)

    for _ in range(10):
        tasks.work()

    states = {each.pk: each.state for each in Backtest.objects.all()}
    assert states == {mine.pk: State.QUEUED, theirs.pk: State.DONE}


def test_workers_of_the_service_do_one_part_at_a_time(small_parts: None) -> None:
    submit_many(10)
    for each in (ask(), ask()):
        requests.resume(each.pk, by=OPERATOR)
    now = timezone.now()

    first = leases.claim_in_background(at=now)

    assert first is not None
    assert leases.claim_in_background(at=now) is None
    assert leases.claim_in_background(at=now + 2 * LEASE) is not None


def _run_and_kill(backtest: Backtest, done: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED, str(backtest.pk), str(done)],
        cwd=place.PROJECT,
        env={
            **servers.environment(),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": servers.postgres().url(connection.settings_dict["NAME"]),
        },
        timeout=120,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
