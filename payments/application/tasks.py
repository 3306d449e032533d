"""The Celery task that expires reviews. It may be lost, late or run twice without harm."""

import time
from typing import Final

from celery import shared_task
from django.utils import timezone

from payments import outages
from payments.application import expiry

# Shorter than the time after which the broker takes a task for lost and delivers it again.
_LONGEST_RUN_SECONDS: Final = 30.0


@shared_task(name="payments.expire_reviews")
def expire_reviews() -> None:
    """Expire the reviews whose deadline has passed. Beat starts it every minute."""
    deadline = time.monotonic() + _LONGEST_RUN_SECONDS
    with outages.reported():
        for _ in expiry.expire_due(timezone.now()):
            if time.monotonic() > deadline:
                return
