"""The Celery task that seals the log. It is safe to lose, delay or repeat."""

import logging
import time
from typing import Final

from celery import shared_task

from payments import outages
from payments.events.reading.horizon import HorizonHeld
from payments.events.seals import sealing

logger = logging.getLogger(__name__)

# A task must end before the broker considers it lost and delivers it again.
_LONGEST_RUN_SECONDS: Final = 30.0


@shared_task(name="events.seal")
def seal() -> None:
    """Seal all events up to the safe position. Beat sends this task every minute."""
    deadline = time.monotonic() + _LONGEST_RUN_SECONDS
    try:
        with outages.reported():
            for _ in sealing.seal_all():
                if time.monotonic() > deadline:
                    return
    except HorizonHeld as held:
        logger.warning("Sealing waits: %s", held)
    except sealing.REFUSALS as error:
        logger.error("%s", error)  # noqa: TRY400 - the message is complete
