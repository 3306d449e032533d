"""A shadow counts each payment once, even if a worker is killed, is late or runs twice."""

import signal
import subprocess
import sys
from datetime import timedelta
from typing import Final

import pytest
from django.db import connection
from django.utils import timezone

from config.stack import place
from payments.application import review
from payments.application.dispatch import CommandContext
from payments.domain.backtest import shadow as pure
from payments.domain.backtest.result import result_of
from payments.domain.backtest.tally import merged
from payments.events.models import Event
from readmodels.backtests import observing, tasks
from readmodels.backtests.metrics import Shadows
from readmodels.backtests.models import Shadow
from tests.support import example_commands, policies, servers
from tests.support.api import ApiClient
from tests.support.backtests import STRICT, finished, json_of, submit_many
from tests.support.concurrency import at_once
from tests.support.raw_appends import Session
from tests.support.roundtrips import round_trips
from tests.support.shadows import POLICIES, counted, days_of, is_repeatable, observed, started
from tests.support.tampering import change_event

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TWO_DAYS: Final = {"2026-01-05": 20, "2026-01-06": 20}

# A program that kills itself in the transaction of its second step, after moving the position.
_KILLED: Final = """
import os, signal, sys
import django
django.setup()
from django.utils import timezone
from readmodels.backtests import observing
from readmodels.backtests.metrics import Shadows
from readmodels.backtests.models import Shadow
observing._AT_ONCE = 7
assert observing.step(Shadow.objects.get(), at=timezone.now())
observing._add = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
observing.step(Shadow.objects.get(), at=timezone.now())
"""


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "_AT_ONCE", 7)


def submit_two_days() -> None:
    submit_many(20)
    submit_many(20, first=131)


def test_shadow_counts_payments_that_are_scored_after_its_start() -> None:
    submit_many(10, first=500)
    running = started()
    submit_two_days()
    submit_many(10, first=200, scored=False)

    observed(running)

    assert counted(running) == TWO_DAYS
    assert running.observed_at is not None
    assert is_repeatable(running)


def test_shadow_decides_as_a_backtest_over_the_same_payments() -> None:
    running = started()
    submit_two_days()
    observed(running)

    result = result_of(merged(days_of(running).values()))

    backtest = json_of(finished(STRICT))
    assert (result.flips, result.evaluated) == (backtest["flips"], backtest["evaluated"])
    assert result.flips > 0
    assert result.candidate.payments == backtest["candidate"]["payments"]


def test_later_events_and_other_steps_do_not_change_the_days(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = started(POLICIES[0]), started(POLICIES[1])
    submit_two_days()
    observed(first)
    reviewer = policies.staff("rita", "senior reviewer")
    flagged = Event.objects.filter(event_type="payment.flagged_for_review")
    for each in flagged:
        at = {"at": each.occurred_at, "payment_id": each.aggregate_id}
        review.handle(example_commands.claim(**at), CommandContext(actor=reviewer))
        review.handle(example_commands.reject(**at), CommandContext(actor=reviewer))
    monkeypatch.setattr(observing, "_AT_ONCE", 1_000)

    observed(first)
    observed(second)

    assert len(flagged) == 2
    assert pure.first_difference_of_days(days_of(first), days_of(second)) is None
    assert is_repeatable(first)


def test_concurrent_workers_count_each_payment_once() -> None:
    running = started()
    submit_two_days()

    at_once(4, lambda _: observed(Shadow.objects.get(pk=running.pk)))

    assert counted(running) == TWO_DAYS
    assert is_repeatable(observed(running))


def test_late_worker_stores_nothing() -> None:
    running = started()
    submit_two_days()
    late = Shadow.objects.get()
    observing.step(running, at=timezone.now())
    before = counted(running)

    observing.step(late, at=timezone.now())

    assert counted(running) == before


def test_killed_worker_loses_and_doubles_nothing() -> None:
    running = started()
    submit_two_days()

    ended = subprocess.run(
        [sys.executable, "-c", _KILLED],
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
    assert sum(counted(running).values()) == 3
    assert counted(observed(running)) == TWO_DAYS
    assert is_repeatable(running)


def test_task_observes_each_shadow_once_a_period() -> None:
    running = started()
    submit_two_days()

    tasks.observe()
    submit_many(5, first=300)
    tasks.observe()

    assert counted(running) == TWO_DAYS
    running.refresh_from_db()
    assert running.next_at > timezone.now()
    Shadow.objects.update(next_at=timezone.now() - timedelta(seconds=1))
    tasks.observe()
    assert sum(counted(running).values()) == 45


def test_turn_that_is_over_is_continued_at_once() -> None:
    running = started()
    submit_two_days()

    observing.observe_due(until=timezone.now())

    running.refresh_from_db()
    assert 0 < sum(counted(running).values()) < 40
    assert running.next_at <= timezone.now()
    assert running.observed_at is None


def test_event_that_cannot_be_read_stalls_the_shadow_until_it_can(superuser: Session) -> None:
    running, other = started(POLICIES[0]), started(POLICIES[1])
    submit_two_days()
    broken = Event.objects.filter(event_type="payment.processed").order_by("position")[10]
    change_event(superuser, broken.position, "schema_version = 99")

    tasks.observe()

    running.refresh_from_db()
    other.refresh_from_db()
    assert f"position {broken.position} " in running.error
    assert other.error == running.error
    assert running.is_running
    change_event(superuser, broken.position, "schema_version = 1")
    assert observed(running).error == ""
    assert counted(running) == TWO_DAYS


def test_shadow_of_an_older_engine_begins_again() -> None:
    running = started()
    submit_two_days()
    observed(running)
    Shadow.objects.update(engine=0)

    observed(running)

    assert counted(running) == TWO_DAYS
    assert is_repeatable(running)


def test_older_worker_leaves_the_shadow_of_a_newer_engine_alone() -> None:
    running = started()
    submit_two_days()
    Shadow.objects.update(engine=99)

    observed(running)

    assert counted(running) == {}


def test_post_takes_two_round_trips_with_three_shadows_as_without(acme: ApiClient) -> None:
    for policy in POLICIES[:3]:
        started(policy)
    for _ in range(8):  # prepares every statement and caches the keys
        acme.submit(customer_id="customer-1")

    with round_trips() as counted_trips:
        acme.submit(customer_id="customer-1")

    assert counted_trips.count == 2  # see test_submission_takes_two_round_trips
    assert counted(observed(Shadow.objects.all()[0])) == {f"{timezone.now():%Y-%m-%d}": 9}


def test_metrics_show_shadows_that_run_and_are_stalled() -> None:
    for policy in POLICIES[:2]:
        started(policy)
    now = timezone.now()
    Shadow.objects.filter(slot=1).update(observed_at=now - timedelta(minutes=7), error="Broken.")

    found = {each.name: each.samples[0].value for each in Shadows().collect()}

    assert found["payments_shadows_running"] == 2
    assert found["payments_shadows_stalled"] == 1
    assert 420 <= found["payments_shadow_behind_seconds"] < 440
