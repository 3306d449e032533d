"""The Celery tasks of webhooks. They may be lost, late or repeated."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

from celery import shared_task
from celery.signals import worker_shutting_down
from django.utils import timezone

from payments import outages
from payments.database import execute
from payments.events.reading.horizon import UnreadableEvent
from readmodels.engine import wakeups
from readmodels.feed.reading import IndexBehind, PositionAhead
from readmodels.webhooks import delivery
from readmodels.webhooks.delivery import End
from readmodels.webhooks.keys import NotConfigured
from readmodels.webhooks.waking import READERS, wake_due

logger = logging.getLogger(__name__)

_KEEP: Final = timedelta(days=30)
_PRUNED_AT_ONCE: Final = 1_000
_PRUNE_SECONDS: Final = 30.0
# The log names a cause once in this many seconds.
_LOG_AGAIN_SECONDS: Final = 3_600

_PRUNE: Final = """
WITH old AS (
       SELECT id FROM webhooks_attempt WHERE at < %(before)s ORDER BY at LIMIT %(limit)s),
     deleted AS (DELETE FROM webhooks_attempt USING old WHERE webhooks_attempt.id = old.id RETURNING 1)
SELECT count(*) FROM deleted
"""


@shared_task(name="webhooks.deliver")
def deliver(endpoint_id: str) -> None:
    """Send an endpoint's messages for a turn, unless another worker does."""
    deadline = time.monotonic() + delivery.TURN_SECONDS
    with _reported(endpoint_id):
        while True:
            end = delivery.deliver(
                UUID(endpoint_id), at=timezone.now(), on_lease=lambda: READERS.clear(endpoint_id)
            )
            if end is End.NOT_DUE or (end is End.DONE and not READERS.is_woken(endpoint_id)):
                return
            # Under steady traffic there is always more to send, and other endpoints wait for a thread.
            if end is End.UNFINISHED or time.monotonic() > deadline:
                READERS.hand_over(endpoint_id)
                return


@shared_task(name="webhooks.deliver_due")
def deliver_due() -> None:
    """Wake the deliveries that are due. Beat sends this task every few seconds.

    Retries depend on this task only, so they survive a lost broker.
    """
    with outages.reported():
        wake_due(at=timezone.now())


@shared_task(name="webhooks.prune")
def prune() -> None:
    """Delete attempts older than 30 days, in small batches. Beat sends this task."""
    deadline = time.monotonic() + _PRUNE_SECONDS
    parameters = {"before": timezone.now() - _KEEP, "limit": _PRUNED_AT_ONCE}
    with outages.reported():
        while time.monotonic() < deadline:
            ((deleted,),) = execute(_PRUNE, parameters)
            if deleted < _PRUNED_AT_ONCE:
                return


@worker_shutting_down.connect
def _end_turns(**_: object) -> None:
    delivery.stopping.set()


@contextmanager
def _reported(endpoint_id: str) -> Iterator[None]:
    """Log errors that concern more than one request. The lease then expires, and beat tries again."""
    try:
        with outages.reported():
            yield
    except (NotConfigured, IndexBehind, PositionAhead, UnreadableEvent) as error:
        if wakeups.is_first(f"webhooks:{endpoint_id}", seconds=_LOG_AGAIN_SECONDS):
            logger.error("Webhook endpoint %s waits: %s", endpoint_id, error)  # noqa: TRY400
    except wakeups.BROKER_ERRORS as error:
        logger.warning("The broker does not answer, beat takes over for webhooks: %s", error)
