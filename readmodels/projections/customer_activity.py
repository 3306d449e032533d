"""CustomerActivity: each customer's initiated payments, in the time buckets of velocity rules."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from payments.aggregates import RecordedPaymentEvent
from payments.domain.payment.events import PaymentInitiated
from payments.domain.risk.windows import bucket_of
from readmodels.models import CustomerActivity
from readmodels.projections.kinds import Counters, Totals

_NO_CHANGE: Final[Mapping["Key", Mapping[str, int]]] = {}


class Key(NamedTuple):
    customer_id: UUID
    bucket: datetime
    currency: str


def delta(record: RecordedPaymentEvent) -> Mapping[Key, Mapping[str, int]]:
    event = record.event
    if not isinstance(event, PaymentInitiated):  # a rebuild passes all events
        return _NO_CHANGE
    key = Key(event.customer_id, bucket_of(event.initiated_at), event.amount.currency)
    return {key: {"initiated_count": 1, "initiated_volume": event.amount.minor}}


PROJECTION: Final = Counters(
    name="customer_activity",
    version=1,
    model=CustomerActivity,
    key=Key,
    delta=delta,
    event_types=(PaymentInitiated.event_type,),
    totals=Totals("(bucket AT TIME ZONE 'UTC')::date", "initiated_volume"),
)
