"""The Celery tasks that fill and rebuild the read models, and that report deadlines.

They may be lost, late or repeated.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from celery import shared_task
from django.utils import timezone

from payments import outages
from payments.events.contradictions import LogContradicted
from payments.events.reading import holders
from payments.events.reading.horizon import HorizonHeld
from readmodels import deadline_levels
from readmodels.engine import checkpoints, runner, wakeups
from readmodels.projections import PROJECTIONS, event_index
from readmodels.projections.kinds import Projection
from readmodels.rebuild.runs import working
from readmodels.webhooks import waking as webhooks

logger = logging.getLogger(__name__)

# After its turn a task goes to the end of the queue. Under steady traffic there is always more to read, and
# other projections wait for the same few processes.
_TURN_SECONDS: Final = 0.05
# The turn of project_all. It must be shorter than the broker's visibility timeout.
_LONG_TURN_SECONDS: Final = 60.0
# The log names a transaction that holds the horizon once in this many seconds.
_LOG_AGAIN_SECONDS: Final = 3_600


@shared_task(name="readmodels.project")
def project(*names: str) -> None:
    """Catch the projections up with the log, each for one turn, unless another worker does."""
    for name in names:
        projection = PROJECTIONS.get(name)
        if projection is None:
            # A web process of another version published the task, for workers of that version.
            logger.warning("There is no projection %s here.", name)
            continue
        with _isolated(projection):
            try:
                _take_turn(projection, seconds=_TURN_SECONDS)
            except HorizonHeld as held:
                _log_holders(held)
                wakeups.projections.wake(name, countdown=1)


def _take_turn(projection: Projection, *, seconds: float) -> None:
    """Run batches until the turn ends. Raises what `runner.run_batch` raises."""
    deadline = time.monotonic() + seconds
    while True:
        batch = runner.run_batch(
            projection, on_lock=lambda: wakeups.projections.clear(projection.name)
        )
        if batch is not None and projection is event_index.PROJECTION:
            webhooks.wake_clients(after=batch.after, upto=batch.upto)
        if batch is None or not (batch.full or wakeups.projections.is_woken(projection.name)):
            return
        if time.monotonic() > deadline:
            wakeups.projections.hand_over(projection.name)
            return


@shared_task(name="readmodels.project_all")
def project_all() -> None:
    """Run all projections. Beat calls this every few seconds, in case a wake-up was lost."""
    for projection in PROJECTIONS.values():
        with _isolated(projection):
            try:
                _take_turn(projection, seconds=_LONG_TURN_SECONDS)
            except HorizonHeld as held:
                _log_holders(held)


@shared_task(name="readmodels.report_deadlines")
def report_deadlines() -> None:
    """Report the deadline levels that reviews have reached."""
    with outages.reported():
        deadline_levels.report(timezone.now())


# This task is acknowledged at its start, because it may outlast the broker's visibility timeout.
@shared_task(name="readmodels.rebuild", acks_late=False)
def rebuild() -> None:
    """Carry out the rebuild that staff asked for, if one waits. Beat sends this task every few seconds."""
    with outages.reported():
        working.run_waiting()


@contextmanager
def _isolated(projection: Projection) -> Iterator[None]:
    """Log errors of one projection, so that it does not stop the others. Its checkpoint holds the cause."""
    try:
        yield
    except checkpoints.RebuildNeeded as error:
        logger.error("%s", error)  # noqa: TRY400 - a traceback would add nothing
    except LogContradicted as error:
        if wakeups.is_first(f"contradicted:{projection.name}", seconds=_LOG_AGAIN_SECONDS):
            logger.error("%s is stalled. %s", projection.name, error)  # noqa: TRY400
    except wakeups.BROKER_ERRORS as error:
        logger.warning(
            "The broker does not answer, beat takes over for %s: %s", projection.name, error
        )
    except Exception as error:
        if (outage := outages.of(error)) is None:
            logger.exception("%s is stalled.", projection.name)
        else:
            outages.report(error, outage)


def _log_holders(held: HorizonHeld) -> None:
    """Log which transactions hold back all projections, once an hour across all workers."""
    known = {each.holder.virtual_transaction: each for each in holders.open_appends()}
    for holder in held.holders:
        append = known.get(holder.virtual_transaction)
        if append is not None and append.seconds < holders.LONG_SECONDS:
            continue
        if wakeups.is_first(f"named:{holder.virtual_transaction}", seconds=_LOG_AGAIN_SECONDS):
            # `append` is None if this role may not see the transaction, or if it has just ended.
            logger.warning("%s", append or held)
