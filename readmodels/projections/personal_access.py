"""PersonalAccess: one row per reveal of a customer's personal data."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from payments.aggregates import REVEAL_AGGREGATE, RecordedReveal
from readmodels.models import PersonalAccess
from readmodels.projections.kinds import Rows


class Row(Struct, frozen=True, kw_only=True, gc=False):
    id: UUID
    at: datetime
    by: str
    customer_id: UUID
    fields: list[str]
    purpose: str
    note_id: UUID | None
    position: int


def fold(_row: Row | None, record: RecordedReveal) -> Row:
    event = record.event
    return Row(
        id=record.aggregate_id,
        at=event.at,
        by=event.by,
        customer_id=event.customer_id,
        fields=[str(each) for each in event.fields],
        purpose=event.purpose,
        note_id=event.note.note_id if event.note is not None else None,
        position=record.position,
    )


PROJECTION: Final = Rows(
    name="personal_access",
    version=1,
    model=PersonalAccess,
    row=Row,
    fold=fold,
    aggregate=REVEAL_AGGREGATE,
    event_types=tuple(each.event_type for each in REVEAL_AGGREGATE.event_classes),
)
