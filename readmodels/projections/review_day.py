"""ReviewDay: the work of each reviewer per UTC day and currency.

The projection needs a new version if the time zone of its days or the limits of a histogram change.
"""

from bisect import bisect_left
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple, assert_never

from payments.aggregates import RecordedPaymentEvent
from payments.domain.payment.events import (
    DisputeEvent,
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
    ReviewDecision,
    ReviewEscalated,
    ReviewReleased,
    ReviewResumed,
    ReviewSnoozed,
)
from payments.domain.payment.findings import Finding
from readmodels.models import ReviewDay
from readmodels.projections.kinds import Counters, Totals

# The columns of the histograms, each with the longest time in seconds that it counts. The last has no limit.
WORKED: Final[Mapping[str, int | None]] = {
    "worked_15s": 15,
    "worked_30s": 30,
    "worked_1m": 60,
    "worked_2m": 120,
    "worked_3m": 180,
    "worked_5m": 300,
    "worked_10m": 600,
    "worked_15m": 900,
    "worked_30m": 1_800,
    "worked_1h": 3_600,
    "worked_longer": None,
}
WAITED: Final[Mapping[str, int | None]] = {
    "waited_1m": 60,
    "waited_5m": 300,
    "waited_15m": 900,
    "waited_30m": 1_800,
    "waited_1h": 3_600,
    "waited_2h": 7_200,
    "waited_4h": 14_400,
    "waited_8h": 28_800,
    "waited_16h": 57_600,
    "waited_1d": 86_400,
    "waited_2d": 172_800,
    "waited_3d": 259_200,
    "waited_5d": 432_000,
    "waited_7d": 604_800,
    "waited_longer": None,
}

_EVENT_CLASSES: Final = (
    ReviewClaimed,
    ReviewReleased,
    ReviewSnoozed,
    ReviewEscalated,
    PaymentFirstApproved,
    PaymentApproved,
    PaymentRejected,
    PaymentExpired,
    PaymentRefunded,
    PaymentDisputed,
    PaymentDisputeUpdated,
    PaymentDisputeResponded,
    PaymentDisputeClosed,
)
_SECOND: Final = timedelta(seconds=1)


class Key(NamedTuple):
    day: date
    currency: str
    reviewer: str


Deltas = Mapping[Key, Mapping[str, int]]


def delta(record: RecordedPaymentEvent) -> Deltas:
    event = record.event
    match event:
        case (
            PaymentInitiated()
            | PaymentProcessed()
            | PaymentFailed()
            | PaymentFlaggedForReview()
            | PaymentCancelled()
            | ReviewResumed()
            | ReviewAssigned()
            | PaymentNoteAdded()
        ):
            return {}
        case ReviewClaimed(reviewer=reviewer, extends=extends):
            return {} if extends else _counted(event, reviewer, "claimed")
        case ReviewReleased(reviewer=reviewer):
            return _counted(event, reviewer, "released")
        case ReviewSnoozed(reviewer=reviewer):
            return _counted(event, reviewer, "snoozed")
        case ReviewEscalated(reviewer=reviewer):
            return _counted(event, reviewer, "escalated")
        case PaymentFirstApproved():
            return {_key(event, event.reviewer): {"first_approved_count": 1, **_worked(event)}}
        case PaymentApproved():
            return _decided(event, "approved")
        case PaymentRejected():
            return _decided(event, "rejected")
        case PaymentExpired(held_by=held_by):
            return {} if held_by is None else _counted(event, held_by, "expired")
        case PaymentRefunded() | DisputeEvent():
            return {} if event.finding is None else _found(event, event.finding)
        case _:
            assert_never(event)


PROJECTION: Final = Counters(
    name="review_day",
    version=1,
    model=ReviewDay,
    key=Key,
    delta=delta,
    event_types=tuple(each.event_type for each in _EVENT_CLASSES),
    totals=Totals("day", "approved_volume"),
)


def bucket(seconds: int, limits: Mapping[str, int | None]) -> str:
    """Return the histogram column that counts a time."""
    names = list(limits)
    return names[bisect_left(names[:-1], seconds, key=lambda name: limits[name] or 0)]


def _counted(event: PaymentEvent, reviewer: str, what: str) -> Deltas:
    return {_key(event, reviewer): {f"{what}_count": 1}}


def _decided(event: PaymentApproved | PaymentRejected, outcome: str) -> Deltas:
    counted = {f"{outcome}_count": 1, f"{outcome}_volume": event.amount.minor, **_worked(event)}
    if event.flagged_at is not None:
        seconds = _seconds(event.flagged_at, event.at)
        counted |= {"waited_seconds": seconds, bucket(seconds, WAITED): 1}
    return {_key(event, event.reviewer): counted}


def _worked(event: ReviewDecision) -> dict[str, int]:
    """Return the columns that count the time since the claim, none if it is unknown."""
    if event.claimed_at is None:
        return {}
    seconds = _seconds(event.claimed_at, event.at)
    return {"worked_seconds": seconds, bucket(seconds, WORKED): 1}


def _found(event: PaymentEvent, finding: Finding) -> Deltas:
    """Count approvals that turned out wrong, or right after all, on the days of the approvals."""
    sign = 1 if finding.fraud else -1
    *first, final = finding.approvals
    deltas = {
        _key_of(each.at, event.amount.currency, each.reviewer): {"first_overturned_count": sign}
        for each in first
    }
    overturned = {"overturned_count": sign, "overturned_volume": sign * event.amount.minor}
    # Two people approved, so the keys differ.
    return {**deltas, _key_of(final.at, event.amount.currency, final.reviewer): overturned}


def _seconds(begin: datetime, end: datetime) -> int:
    return max(0, (end - begin) // _SECOND)  # the clocks of two hosts may differ


def _key(event: PaymentEvent, reviewer: str) -> Key:
    return _key_of(event.at, event.amount.currency, reviewer)


def _key_of(at: datetime, currency: str, reviewer: str) -> Key:
    return Key(at.astimezone(UTC).date(), currency, reviewer)
