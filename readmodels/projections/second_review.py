"""SecondReview: one row per second review, for its queue and for the analytics."""

from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from payments.aggregates import SECOND_REVIEW_AGGREGATE, RecordedSecondReviewEvent
from payments.domain.second_review import SecondReviewConcluded, SecondReviewRequested
from readmodels.models import SecondReview
from readmodels.projections.kinds import Rows


class Row(Struct, frozen=True, kw_only=True, gc=False):
    id: UUID
    payment_id: UUID
    amount: int
    currency: str
    reviewer: str
    approved: bool
    reason: str
    first_reviewer: str = ""
    first_reason: str = ""
    decided_at: datetime
    requested_at: datetime
    concluded_at: datetime | None = None
    concluded_by: str = ""
    second_approved: bool | None = None
    second_reason: str = ""
    severity: str = ""
    position: int


def fold(row: Row | None, record: RecordedSecondReviewEvent) -> Row:
    match record.event:
        case SecondReviewRequested() as event:
            *first, final = event.decisions
            return Row(
                id=record.aggregate_id,
                payment_id=event.payment_id,
                amount=event.amount.minor,
                currency=event.amount.currency,
                reviewer=final.by,
                approved=final.approved,
                reason=final.reason,
                first_reviewer=first[0].by if first else "",
                first_reason=first[0].reason if first else "",
                decided_at=event.decided_at,
                requested_at=event.at,
                position=record.position,
            )
        case SecondReviewConcluded(verdict=verdict) as event:
            assert row is not None, "a second review begins with its request"  # noqa: S101
            return replace(
                row,
                concluded_at=event.at,
                concluded_by=verdict.by,
                second_approved=verdict.approved,
                second_reason=verdict.reason,
                severity=event.severity,
                position=record.position,
            )
        case event:
            assert_never(event)


PROJECTION: Final = Rows(
    name="second_review",
    version=1,
    model=SecondReview,
    row=Row,
    fold=fold,
    aggregate=SECOND_REVIEW_AGGREGATE,
    event_types=tuple(each.event_type for each in SECOND_REVIEW_AGGREGATE.event_classes),
)
