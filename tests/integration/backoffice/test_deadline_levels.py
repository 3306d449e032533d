"""Each level of a deadline is counted and logged once per review, even if the task crashes."""

import logging
import os
import subprocess
import sys
from datetime import timedelta
from typing import Final

import pytest
from django.db import connection
from django.test import Client as Browser
from django.utils import timezone

from config.stack import place
from payments.application import expiry
from readmodels import deadline_levels
from readmodels.models import PaymentSummary, ReachedLevel, ReachedLevelCount
from tests.support.api import project
from tests.support.backoffice import browser, text
from tests.support.concurrency import at_once
from tests.support.examples import NOON
from tests.support.reviewing import waiting

pytestmark = pytest.mark.django_db(transaction=True)

HOUR: Final = timedelta(hours=1)
# A program that kills itself when it writes a log line, before the commit.
_KILLED: Final = """
import os, signal, sys
import django
django.setup()
from datetime import datetime
from readmodels import deadline_levels
deadline_levels.logger.log = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
deadline_levels.report(datetime.fromisoformat(sys.argv[1]))
"""


def _flagged(hours: int = 100) -> str:
    """Return a payment that was flagged at noon and has `hours` until its deadline."""
    (payment,) = waiting()
    PaymentSummary.objects.filter(pk=payment).update(
        flagged_at=NOON, review_deadline=NOON + hours * HOUR
    )
    return payment


def _levels() -> list[tuple[str, int]]:
    rows = ReachedLevel.objects.order_by("payment_id", "level")
    return [(str(row.payment_id), row.level) for row in rows]


def _counts() -> dict[int, int]:
    return dict(ReachedLevelCount.objects.values_list("level", "reached"))


def test_each_level_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    payment = _flagged()
    caplog.set_level(logging.INFO, logger=deadline_levels.logger.name)
    caplog.clear()

    reported = [deadline_levels.report(NOON + hours * HOUR) for hours in (49, 50, 51, 79, 80, 99)]

    assert reported == [0, 1, 0, 0, 1, 0]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", f"Payment {payment} has used 50 % of its time for review."),
        ("WARNING", f"Payment {payment} has used 80 % of its time for review."),
    ]
    assert _counts() == {50: 1, 80: 1}


def test_levels_that_were_skipped_are_reported_together() -> None:
    payment = _flagged()

    deadline_levels.report(NOON + 200 * HOUR)

    assert _levels() == [(payment, 50), (payment, 80), (payment, 100)]


def test_review_that_expired_before_the_task_ran_is_reported() -> None:
    (payment,) = waiting()
    deadline = PaymentSummary.objects.get().review_deadline
    assert deadline is not None
    list(expiry.expire_due(deadline))
    project()
    assert PaymentSummary.objects.get().status == "expired"

    deadline_levels.report(timezone.now())
    deadline_levels.report(timezone.now())

    assert _levels() == [(payment, 50), (payment, 80), (payment, 100)]
    assert _counts() == {50: 1, 80: 1, 100: 1}


def test_tasks_at_once_report_each_level_once() -> None:
    for _ in range(3):
        _flagged()

    reported = at_once(4, lambda _: deadline_levels.report(NOON + 60 * HOUR))

    assert sum(reported) == 3
    assert _counts() == {50: 3}


@pytest.mark.slow
def test_next_task_reports_what_a_killed_one_did_not_commit() -> None:
    _flagged()
    at = NOON + 85 * HOUR

    killed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _KILLED, at.isoformat()],
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
        },
        cwd=place.PROJECT,
        check=False,
    )

    assert killed.returncode == -9
    assert _counts() == {}
    assert deadline_levels.report(at) == 2
    assert deadline_levels.report(at) == 0
    assert _counts() == {50: 1, 80: 1}


def test_more_levels_than_one_statement_takes_are_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadline_levels, "_AT_ONCE", 2)
    for _ in range(3):
        _flagged()

    assert deadline_levels.report(NOON + 90 * HOUR) == 6


def test_old_rows_of_ended_reviews_are_removed_and_stay_counted() -> None:
    waits, ended = _flagged(), _flagged()
    deadline_levels.report(NOON + 60 * HOUR)
    PaymentSummary.objects.filter(pk=ended).update(status="completed")

    deadline_levels.report(NOON + 60 * HOUR + timedelta(days=31))

    levels = {payment for payment, _ in _levels()}
    assert levels == {waits}
    assert _counts()[50] == 2


def test_metrics_count_levels_once() -> None:
    _flagged()
    deadline_levels.report(NOON + 85 * HOUR)
    deadline_levels.report(NOON + 85 * HOUR)

    lines = Browser().get("/metrics").content.decode().splitlines()

    assert [
        line for line in lines if line.startswith("payments_reviews_deadline_reached_total")
    ] == [
        'payments_reviews_deadline_reached_total{percent="50"} 1.0',
        'payments_reviews_deadline_reached_total{percent="80"} 1.0',
        'payments_reviews_deadline_reached_total{percent="100"} 0.0',
    ]


def test_dashboard_lists_urgent_levels_of_a_day() -> None:
    payment = _flagged()
    logged_in = browser("viewer")
    assert "Deadlines reached" not in text(logged_in.get("/admin/"))
    now = timezone.now()
    PaymentSummary.objects.update(flagged_at=now - 9 * HOUR, review_deadline=now + HOUR)
    deadline_levels.report(now)

    answer = logged_in.get("/admin/")

    assert [(str(each["id"]), each["badge"].text) for each in answer.context["reached"]] == [
        (payment, "80 % of time used")
    ]
    assert "Deadlines reached in 24 hours" in text(answer)
