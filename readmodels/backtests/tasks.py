"""The Celery tasks of backtests.

They may be lost, late or repeated, because the database holds the work to do.
"""

from datetime import timedelta
from typing import Final

from celery import shared_task
from django.utils import timezone

from payments import outages
from readmodels.backtests import facts, observing, verifying, working

# A turn does at least one part, which takes about a second. Beat starts a turn every few seconds,
# so projections wait for at most one part. A backtest leaves most of the machine to payments.
_TURN: Final = timedelta(seconds=1)


@shared_task(name="backtests.work")
def work() -> None:
    """Take a turn at the background backtests. Beat sends this task."""
    with outages.reported():
        working.run_in_background(until=timezone.now() + _TURN)


@shared_task(name="backtests.observe")
def observe() -> None:
    """Count new payments for the shadows that are due. Beat sends this task every few seconds.

    Each shadow is due once a minute, or at once while it is far behind.
    """
    with outages.reported():
        observing.observe_due(until=timezone.now() + _TURN)


@shared_task(name="backtests.sweep")
def sweep() -> None:
    """Delete what killed workers and verifications left behind. Beat sends this task."""
    with outages.reported():
        verifying.sweep(at=timezone.now())
        facts.sweep()
