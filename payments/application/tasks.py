"""Celery tasks that run use cases. It does no harm if a task is lost, late or run twice."""

import time
from typing import Final

from celery import shared_task
from django.utils import timezone

from payments import outages
from payments.application import expiry, second_reviews

# Shorter than the time after which the broker considers a task lost and delivers it again.
_LONGEST_RUN_SECONDS: Final = 30.0


@shared_task(name="payments.expire_reviews")
def expire_reviews() -> None:
    """Expire the reviews whose deadline has passed. Beat starts it every minute."""
    deadline = time.monotonic() + _LONGEST_RUN_SECONDS
    with outages.reported():
        for _ in expiry.expire_due(timezone.now()):
            if time.monotonic() > deadline:
                return


@shared_task(name="payments.request_second_reviews")
def request_second_reviews() -> None:
    """Request the second reviews that are due. Beat starts it every ten minutes."""
    deadline = time.monotonic() + _LONGEST_RUN_SECONDS
    with outages.reported():
        for _ in second_reviews.request_due(timezone.now()):
            if time.monotonic() > deadline:
                return
