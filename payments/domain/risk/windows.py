"""The windows of velocity rules, counted in buckets of five minutes.

One bucket size serves both windows: an hour has twelve buckets, a day 288. A velocity rule
reads few buckets, and a payment leaves its window at most five minutes late.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

BUCKET: Final = timedelta(minutes=5)
# A bucket counts until its end has left the window.
HOUR: Final = timedelta(hours=1) + BUCKET
DAY: Final = timedelta(days=1) + BUCKET
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def bucket_of(at: datetime) -> datetime:
    """Return the start of the bucket that contains `at`."""
    return at - (at - _EPOCH) % BUCKET
