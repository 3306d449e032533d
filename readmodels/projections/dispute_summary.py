"""DisputeSummary: one row per dispute, for lists by due date.

The domain folds the notices of a dispute. A row holds everything that the next notice is compared
with. It omits earlier responses, because no column depends on them.
"""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid5

from msgspec import Struct

from payments.aggregates import RecordedPaymentEvent
from payments.domain.money import Money
from payments.domain.payment.codes import DisputeKind, DisputeOutcome, DisputeReason
from payments.domain.payment.disputes import Dispute, DisputeStatus, Source, merged
from payments.domain.payment.events import (
    DisputeEvent,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentDisputeResponded,
    PaymentDisputeUpdated,
)
from readmodels.models import DisputeSummary
from readmodels.projections.kinds import Rows, Totals

# Sorts disputes without a due time last. A nullable column could not be part of a keyset.
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)

_EVENT_CLASSES: Final = (
    PaymentDisputed,
    PaymentDisputeUpdated,
    PaymentDisputeResponded,
    PaymentDisputeClosed,
)


class Row(Struct, frozen=True, kw_only=True, gc=False):
    id: UUID
    payment_id: UUID
    dispute_id: str
    client_id: UUID
    customer_id: UUID
    method: str
    currency: str
    payment_amount: int
    payment_initiated_at: datetime
    status: str
    kind: str
    reason: str
    outcome: str
    network: str
    network_reason_code: str
    disputed_amount: int
    lost_amount: int | None
    opened_at: datetime
    inferred: bool
    stated_at: datetime
    source: int
    respond_by: datetime | None
    due_at: datetime
    responded_at: datetime | None
    responded_by: str
    closed_at: datetime | None
    updated_at: datetime
    version: int
    position: int


def row_id(payment_id: UUID, dispute_id: str) -> UUID:
    return uuid5(payment_id, dispute_id)


def key(record: RecordedPaymentEvent) -> UUID | None:
    event = record.event
    if not isinstance(event, DisputeEvent):
        return None
    return row_id(record.aggregate_id, event.dispute_id)


def dispute(row: Row) -> Dispute:
    """Return the dispute of the row. It has only the latest of its responses."""
    return Dispute(
        dispute_id=row.dispute_id,
        kind=DisputeKind(row.kind),
        reason=DisputeReason(row.reason),
        disputed=Money(row.disputed_amount, row.currency),
        opened_at=row.opened_at,
        stated_at=row.stated_at,
        source=Source(row.source),
        inferred=row.inferred,
        network=row.network or None,
        network_reason_code=row.network_reason_code or None,
        respond_by=row.respond_by,
        responded_at=row.responded_at,
        responded_by=row.responded_by or None,
        outcome=DisputeOutcome(row.outcome) if row.outcome else None,
        lost=None if row.lost_amount is None else Money(row.lost_amount, row.currency),
        closed_at=row.closed_at,
    )


def fold(row: Row | None, record: RecordedPaymentEvent) -> Row:
    event = record.event
    assert isinstance(event, _EVENT_CLASSES), "other events have no key"  # noqa: S101
    known = None if row is None else dispute(row)
    after = merged(known, event)
    is_due = after.status is DisputeStatus.NEEDS_RESPONSE and after.respond_by is not None
    return Row(
        id=row_id(record.aggregate_id, event.dispute_id),
        payment_id=record.aggregate_id,
        dispute_id=after.dispute_id,
        client_id=event.client_id,
        customer_id=event.customer_id,
        method=event.method,
        currency=event.amount.currency,
        payment_amount=event.amount.minor,
        payment_initiated_at=event.initiated_at,
        status=after.status,
        kind=after.kind,
        reason=after.reason,
        outcome=after.outcome or "",
        network=after.network or "",
        network_reason_code=after.network_reason_code or "",
        disputed_amount=after.disputed.minor,
        lost_amount=None if after.lost is None else after.lost.minor,
        opened_at=after.opened_at,
        inferred=after.inferred,
        stated_at=after.stated_at,
        source=after.source,
        respond_by=after.respond_by,
        due_at=after.respond_by if is_due and after.respond_by else NEVER,
        responded_at=after.responded_at,
        responded_by=after.responded_by or "",
        closed_at=after.closed_at,
        updated_at=event.at,
        version=record.version,
        position=record.position,
    )


PROJECTION: Final = Rows(
    name="dispute_summary",
    version=1,
    model=DisputeSummary,
    row=Row,
    fold=fold,
    key=key,
    event_types=tuple(each.event_type for each in _EVENT_CLASSES),
    totals=Totals("(opened_at AT TIME ZONE 'UTC')::date", "disputed_amount"),
)
