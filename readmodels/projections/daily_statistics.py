"""DailyStatistics: counts and volumes per UTC day, client and currency.

The projection needs a new version if the time zone of its days changes.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final, NamedTuple, assert_never
from uuid import UUID

from payments.aggregates import RecordedPaymentEvent
from payments.domain.payment.events import (
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
from readmodels.models import DailyStatistics
from readmodels.projections.kinds import Counters, Totals


class Key(NamedTuple):
    key: str
    day: date
    client_id: UUID
    currency: str


Deltas = Mapping[Key, Mapping[str, int]]


def delta(record: RecordedPaymentEvent) -> Deltas:
    event = record.event
    volume = event.amount.minor
    match event:
        case PaymentInitiated():
            return {_key(event, event.initiated_at): {"total_count": 1, "total_volume": volume}}
        case PaymentProcessed():
            return {_key(event, event.at): {"completed_count": 1, "completed_volume": volume}}
        case PaymentFailed():
            return {_key(event, event.at): {"failed_count": 1, "failed_volume": volume}}
        case PaymentFlaggedForReview(at=flagged_at):
            return {
                _key(event, event.flagged_at or flagged_at): {"review_count": 1, "open_reviews": 1}
            }
        case (
            ReviewClaimed()
            | ReviewReleased()
            | ReviewSnoozed()
            | ReviewResumed()
            | ReviewAssigned()
            | ReviewEscalated()
            | PaymentFirstApproved()
            | PaymentNoteAdded()
        ):
            return {}
        case PaymentApproved():
            return {_flagged_key(event): {"open_reviews": -1}}
        case PaymentRejected():
            rejected = {"rejected_count": 1, "rejected_volume": volume}
            return _ended(event, rejected, _flagged_key(event))
        case PaymentExpired():
            return _ended(event, {"expired_count": 1, "expired_volume": volume})
        case PaymentCancelled():
            return _ended(event, {"cancelled_count": 1, "cancelled_volume": volume})
        case PaymentRefunded(refund=refund):
            return {_key(event, event.at): {"refunded_count": 1, "refunded_volume": refund.minor}}
        case (
            PaymentDisputed()
            | PaymentDisputeUpdated()
            | PaymentDisputeResponded()
            | PaymentDisputeClosed()
        ):
            return _disputed(event)
        case _:
            assert_never(event)


PROJECTION: Final = Counters(
    name="daily_statistics",
    version=3,
    model=DailyStatistics,
    key=Key,
    delta=delta,
    totals=Totals("day", "total_volume"),
)


def _ended(event: PaymentEvent, outcome: dict[str, int], flagged: Key | None = None) -> Deltas:
    """Return the outcome on its day, and the end of a review on the day of flagging."""
    today = _key(event, event.at)
    if flagged is None and event.flagged_at is not None:
        flagged = _key(event, event.flagged_at)
    if flagged is None:
        return {today: outcome}
    if flagged == today:
        return {today: {**outcome, "open_reviews": -1}}
    return {today: outcome, flagged: {"open_reviews": -1}}


def _disputed(event: DisputeEvent) -> Deltas:
    """Return how the dispute's figures change, on the day of its payment and of its opening."""
    deltas: dict[Key, dict[str, int]] = {}
    for figures, sign in ((event.before, -1), (event.after, 1)):
        if figures is None:
            continue
        for day, at in (("payment", event.initiated_at), ("dispute", figures.opened_at)):
            row = deltas.setdefault(_key(event, at), {})
            for name, amount in _figures(figures).items():
                column = f"{day}_day_{name}"
                row[column] = row.get(column, 0) + sign * amount
    return deltas


def _figures(figures: DisputeFigures) -> dict[str, int]:
    counted = {"disputed_count": 1, "disputed_volume": figures.disputed.minor}
    if figures.lost is None or not figures.lost.minor:
        return counted
    return {**counted, "lost_count": 1, "lost_volume": figures.lost.minor}


def _flagged_key(event: PaymentEvent) -> Key:
    return _key(event, event.flagged_at or event.initiated_at)


def _key(event: PaymentEvent, at: datetime) -> Key:
    return _row_key(at.astimezone(UTC).date(), event.client_id, event.amount.currency)


# Thousands of events share a key, and formatting it costs as much as the rest of `delta`.
@lru_cache(maxsize=10_000)
def _row_key(day: date, client_id: UUID, currency: str) -> Key:
    return Key(f"{day}:{client_id}:{currency}", day, client_id, currency)
