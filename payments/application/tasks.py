"""The Celery task that sends the commands of time. It may be lost, late or doubled: nothing breaks."""

import time
from typing import Final

from celery import shared_task
from django.utils import timezone

from payments import outages
from payments.application import expiry

# A task ends well before the broker would take it for lost and deliver it again.
_LONGEST_RUN_SECONDS: Final = 30.0


@shared_task(name="payments.expire_reviews")
def expire_reviews() -> None:
    """End the reviews whose deadline has passed, as beat asks for every minute."""
    deadline = time.monotonic() + _LONGEST_RUN_SECONDS
    with outages.reported():
        for _ in expiry.expire_due(timezone.now()):
            if time.monotonic() > deadline:
                return
