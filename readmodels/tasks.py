"""The Celery tasks that project events into the read models.

They may be lost, late or doubled: nothing breaks.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from celery import shared_task

from payments import outages
from payments.events.contradictions import LogContradicted
from payments.events.reading import holders
from payments.events.reading.horizon import HorizonHeld
from readmodels.engine import checkpoints, runner, wakeups
from readmodels.projections import PROJECTIONS
from readmodels.projections.kinds import Projection

logger = logging.getLogger(__name__)

# Then the task goes to the end of the queue: under steady traffic there is always more to read, and other
# projections wait for the same few processes.
_TURN_SECONDS: Final = 0.05
# Of the safety net: long, but shorter than the broker waits before it gives a task to somebody else.
_LONG_TURN_SECONDS: Final = 60.0
# How long a transaction that holds the horizon is not named again.
_NAMED_SECONDS: Final = 3_600


@shared_task(name="readmodels.project")
def project(*names: str) -> None:
    """Catch the projections up with the log, each for a turn, unless another worker is at it."""
    for name in names:
        projection = PROJECTIONS.get(name)
        if projection is None:
            # From a web process of another version, and for workers of that version.
            logger.warning("There is no projection %s here.", name)
            continue
        with _alone(projection):
            try:
                _take_turn(projection, seconds=_TURN_SECONDS)
            except HorizonHeld as held:
                _name(held)
                wakeups.wake(name, countdown=1)


def _take_turn(projection: Projection, *, seconds: float) -> None:
    """Raises HorizonHeld and whatever stops the projection."""
    deadline = time.monotonic() + seconds
    while True:
        batch = runner.run_batch(projection, on_lock=lambda: wakeups.clear(projection.name))
        if batch is None or not (batch.full or wakeups.is_woken(projection.name)):
            return
        if time.monotonic() > deadline:
            wakeups.hand_over(projection.name)
            return


@shared_task(name="readmodels.project_all")
def project_all() -> None:
    """The safety net, run by beat every few seconds: it does not depend on anybody's wake-up."""
    for projection in PROJECTIONS.values():
        with _alone(projection):
            try:
                _take_turn(projection, seconds=_LONG_TURN_SECONDS)
            except HorizonHeld as held:
                _name(held)


@contextmanager
def _alone(projection: Projection) -> Iterator[None]:
    """One projection that stands still must not stop the others; its checkpoint tells why."""
    try:
        yield
    except checkpoints.RebuildNeeded as error:
        logger.error("%s", error)  # noqa: TRY400 - the sentence says it all
    except LogContradicted as error:
        if wakeups.is_first(f"contradicted:{projection.name}", seconds=_NAMED_SECONDS):
            logger.error("%s is stalled. %s", projection.name, error)  # noqa: TRY400
    except wakeups.BROKER_ERRORS as error:
        logger.warning(
            "The broker does not answer, beat will go on with %s: %s", projection.name, error
        )
    except Exception as error:
        if (outage := outages.of(error)) is None:
            logger.exception("%s could not go on.", projection.name)
        else:
            outages.report(error, outage)


def _name(held: HorizonHeld) -> None:
    """Log which transactions all projections wait for: once an hour, whichever worker meets them."""
    known = {each.holder.virtual_transaction: each for each in holders.open_appends()}
    for holder in held.holders:
        append = known.get(holder.virtual_transaction)
        if append is not None and append.seconds < holders.LONG_SECONDS:
            continue
        if wakeups.is_first(f"named:{holder.virtual_transaction}", seconds=_NAMED_SECONDS):
            # Not known: it may not be seen, or has just ended.
            logger.warning("%s", append or held)
