"""CustomerActivity: what each customer began to pay, in buckets of five minutes.

A window of an hour is twelve buckets and one of a day at most 288, so one size serves both: a
velocity rule reads a few index entries, and is late by at most five minutes in forgetting.
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
_NOTHING: Final[Mapping["Key", Mapping[str, int]]] = {}


class Key(NamedTuple):
    customer_id: UUID
    bucket: datetime
    currency: str


def bucket_of(at: datetime) -> datetime:
    """The beginning of the bucket that `at` falls into."""
    return at - (at - _EPOCH) % BUCKET


def delta(record: RecordedPaymentEvent) -> Mapping[Key, Mapping[str, int]]:
    event = record.event
    if not isinstance(event, PaymentInitiated):
        return _NOTHING
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
