"""CustomerActivity: each customer's initiated payments, in buckets of five minutes.

One size serves both windows: an hour is twelve buckets, a day at most 288. A velocity rule reads a few
index entries, and forgets a payment at most five minutes late.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from payments.aggregates import RecordedPaymentEvent
from payments.domain.payment.events import PaymentInitiated
from readmodels.models import CustomerActivity
from readmodels.projections.kinds import Counters, Totals

BUCKET: Final = timedelta(minutes=5)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_CHANGE: Final[Mapping["Key", Mapping[str, int]]] = {}


class Key(NamedTuple):
    customer_id: UUID
    bucket: datetime
    currency: str


def bucket_of(at: datetime) -> datetime:
    """Return the start of the bucket that contains `at`."""
    return at - (at - _EPOCH) % BUCKET


def delta(record: RecordedPaymentEvent) -> Mapping[Key, Mapping[str, int]]:
    event = record.event
    if not isinstance(event, PaymentInitiated):
        return _NO_CHANGE
    key = Key(event.customer_id, bucket_of(event.initiated_at), event.amount.currency)
    return {key: {"initiated_count": 1, "initiated_volume": event.amount.minor}}


PROJECTION: Final = Counters(
    name="customer_activity",
    version=1,
    model=CustomerActivity,
    key=Key,
    delta=delta,
    totals=Totals("(bucket AT TIME ZONE 'UTC')::date", "initiated_volume"),
)
