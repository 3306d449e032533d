"""PaymentSummary: one row per payment, for lists, searches and the review queue."""

from datetime import datetime
from typing import Any, Final, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from payments.aggregates import RecordedPaymentEvent
from payments.domain.cards import Card
from payments.domain.payment.events import (
    AnyPaymentEvent,
    DisputeEvent,
    DisputeFigures,
    PaymentApproved,
    PaymentCancelled,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentDisputeResponded,
    PaymentDisputeUpdated,
    PaymentEvent,
    PaymentExpired,
    PaymentFailed,
    PaymentFirstApproved,
    PaymentFlaggedForReview,
    PaymentInitiated,
    PaymentNoteAdded,
    PaymentProcessed,
    PaymentRefunded,
    PaymentRejected,
    ReviewAssigned,
    ReviewClaimed,
    ReviewEscalated,
    ReviewReleased,
    ReviewResumed,
    ReviewSnoozed,
)
from payments.domain.payment.state import REVIEW_PERIOD, Status
from payments.domain.risk.assessment import RiskAssessment
from readmodels.models import PaymentSummary
from readmodels.projections.kinds import Rows, Totals

_UNCLAIMED: Final[dict[str, Any]] = {"claimed_by": "", "claimed_until": None}
_UNSNOOZED: Final[dict[str, Any]] = {
    "snoozed_by": "",
    "snoozed_until": None,
    "snooze_reason": "",
}
_UNROUTED: Final[dict[str, Any]] = {**_UNCLAIMED, **_UNSNOOZED, "assigned_to": ""}


class Row(Struct, frozen=True, kw_only=True, gc=False):
    payment_id: UUID
    client_id: UUID
    customer_id: UUID
    reference: str | None = None
    amount: int
    refunded_amount: int = 0
    currency: str
    method: str
    card_brand: str = ""
    card_last4: str = ""
    card_fingerprint: str | None = None
    status: str = Status.INITIATED
    risk_score: int | None = None
    risk_band: str = ""
    risk_reasons: list[str] = []
    requires_review: bool = False
    failure_reason: str = ""
    four_eyes: bool = False
    reject_advised: bool = False
    claimed_by: str = ""
    claimed_until: datetime | None = None
    assigned_to: str = ""
    snoozed_by: str = ""
    snoozed_until: datetime | None = None
    snooze_reason: str = ""
    escalated: bool = False
    first_approver: str = ""
    reviewer: str = ""
    review_reason: str = ""
    review_note_id: UUID | None = None
    reviewed_at: datetime | None = None
    initiated_at: datetime
    flagged_at: datetime | None = None
    review_deadline: datetime | None = None
    processed_at: datetime | None = None
    updated_at: datetime
    version: int
    position: int
    dispute_count: int = 0
    open_disputes: int = 0
    disputed_amount: int = 0
    lost_amount: int = 0
    first_position: int


def fold(row: Row | None, record: RecordedPaymentEvent) -> Row:
    event = record.event
    if row is None:
        row = _begin(record, event)
    return replace(
        row,
        version=record.version,
        position=record.position,
        updated_at=event.at,
        **_changes(row, event),
    )


def _changes(  # noqa: C901, PLR0912 - a case for each event
    row: Row, event: AnyPaymentEvent
) -> dict[str, Any]:
    match event:
        case PaymentInitiated(reference=reference, card=card):
            return {"reference": reference, **_paid_with(card)}
        case PaymentProcessed(at=at, risk=risk):
            return {"status": Status.COMPLETED, "processed_at": at, **_assessed(risk)}
        case PaymentFailed(reason=reason, risk=risk):
            return {"status": Status.FAILED, "failure_reason": reason, **_assessed(risk)}
        case PaymentFlaggedForReview(at=at, flagged_at=flagged_at, deadline=deadline, risk=risk):
            return {
                "status": Status.PENDING_REVIEW,
                "requires_review": True,
                "flagged_at": flagged_at,
                "review_deadline": deadline or at + REVIEW_PERIOD,
                "four_eyes": risk.four_eyes,
                "reject_advised": risk.reject_advised,
                **_assessed(risk),
            }
        case ReviewClaimed(reviewer=reviewer, until=until):
            return {"claimed_by": reviewer, "claimed_until": until, **_UNSNOOZED}
        case ReviewReleased():
            return _UNCLAIMED
        case ReviewSnoozed(reviewer=reviewer, until=until, reason=reason):
            return {
                "snoozed_by": reviewer,
                "snoozed_until": until,
                "snooze_reason": reason,
                **_UNCLAIMED,
            }
        case ReviewResumed(at=at):
            return {"snoozed_until": row.snoozed_until and at}
        case ReviewAssigned(to=to):
            return {"assigned_to": to or ""}
        case ReviewEscalated():
            return {"escalated": True, **_UNROUTED}
        case PaymentFirstApproved(reviewer=reviewer):
            return {"first_approver": reviewer, **_UNROUTED}
        case PaymentApproved():
            return _reviewed(event)
        case PaymentRejected():
            return {"status": Status.REJECTED, **_reviewed(event)}
        case PaymentExpired():
            return {"status": Status.EXPIRED, **_UNROUTED}
        case PaymentCancelled():
            return {"status": Status.CANCELLED, **_UNROUTED}
        case PaymentRefunded(refunded=refunded):
            whole = refunded.minor == row.amount
            status = Status.REFUNDED if whole else Status.PARTIALLY_REFUNDED
            return {"status": status, "refunded_amount": refunded.minor}
        case PaymentNoteAdded():
            return {}
        case (
            PaymentDisputed()
            | PaymentDisputeUpdated()
            | PaymentDisputeResponded()
            | PaymentDisputeClosed()
        ):
            return _disputed(row, event)
        case _:
            assert_never(event)


PROJECTION: Final = Rows(
    name="payment_summary",
    version=8,
    model=PaymentSummary,
    row=Row,
    fold=fold,
    totals=Totals("(initiated_at AT TIME ZONE 'UTC')::date", "amount"),
)


def _begin(record: RecordedPaymentEvent, event: PaymentEvent) -> Row:
    return Row(
        payment_id=record.aggregate_id,
        client_id=event.client_id,
        customer_id=event.customer_id,
        amount=event.amount.minor,
        currency=event.amount.currency,
        method=event.method,
        initiated_at=event.initiated_at,
        updated_at=event.at,
        version=record.version,
        position=record.position,
        first_position=record.position,
    )


def _paid_with(card: Card | None) -> dict[str, Any]:
    if card is None:
        return {}
    return {
        "card_brand": card.brand,
        "card_last4": card.last4,
        "card_fingerprint": card.fingerprint,
    }


def _assessed(risk: RiskAssessment | None) -> dict[str, Any]:
    if risk is None:
        return {}
    return {
        "risk_score": risk.score,
        "risk_band": risk.band,
        "risk_reasons": list(risk.reasons),
    }


def _reviewed(event: PaymentApproved | PaymentRejected) -> dict[str, Any]:
    return {
        "reviewer": event.reviewer,
        "review_reason": event.reason,
        "review_note_id": event.note.note_id if event.note else None,
        "reviewed_at": event.at,
        **_UNROUTED,
    }


def _disputed(row: Row, event: DisputeEvent) -> dict[str, Any]:
    before, after = _sums(event.before), _sums(event.after)
    return {
        name: getattr(row, name) + after.get(name, 0) - before.get(name, 0)
        for name in ("dispute_count", "open_disputes", "disputed_amount", "lost_amount")
    }


def _sums(figures: DisputeFigures | None) -> dict[str, int]:
    """Return what a dispute adds to the columns."""
    if figures is None:
        return {}
    if figures.lost is None:
        return {"dispute_count": 1, "open_disputes": 1, "disputed_amount": figures.disputed.minor}
    return {"dispute_count": 1, "lost_amount": figures.lost.minor}
