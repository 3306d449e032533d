"""What the reads answer."""

import datetime as dt
from collections.abc import Iterable
from typing import Annotated, Final, assert_never
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from payments.aggregates import HistoricPaymentEvent
from payments.api.representation import (
    FROM_ONE,
    CardView,
    Moment,
    PaymentFields,
    PaymentView,
    rfc3339,
)
from payments.customers.models import Customer
from payments.domain.methods import Method
from payments.domain.payment.events import (
    EVENT_CLASSES,
    AnyPaymentEvent,
    PaymentApproved,
    PaymentCancelled,
    PaymentExpired,
    PaymentFailed,
    PaymentFirstApproved,
    PaymentFlaggedForReview,
    PaymentInitiated,
    PaymentProcessed,
    PaymentRefunded,
    PaymentRejected,
    ReviewClaimed,
    ReviewEscalated,
    ReviewReleased,
)
from payments.domain.risk.policy import Band
from readmodels.engine.lag import COUNTED_TO, Lag, State
from readmodels.models import DailyStatistics, PaymentSummary

_COUNTED: Final = {"minimum": 0, "maximum": COUNTED_TO}


class PaymentPage(Struct):
    """Payments in the order that was asked for."""

    payments: Annotated[list[PaymentView], Meta(description="At most `limit`.")]
    next: Annotated[
        str | None,
        Meta(
            description="The `cursor` of the following page; null: this is the last one. Never null with"
            " `ordering=position`: ask again with it for what comes later."
        ),
    ]


class EventData(Struct, frozen=True, kw_only=True):
    """The facts of an event. Which of them it has depends on its type; new ones may be added."""

    amount: Annotated[int | UnsetType, Meta(description="In minor units.")] = UNSET
    currency: Annotated[str | UnsetType, Meta(description="An ISO 4217 code.")] = UNSET
    method: Annotated[Method | UnsetType, Meta(description="How it is paid.")] = UNSET
    reference: Annotated[
        str | UnsetType | None, Meta(description="Your own id of the payment; null: it has none.")
    ] = UNSET
    card: Annotated[CardView | UnsetType | None, Meta(description="Null: none was named.")] = UNSET
    score: Annotated[int | UnsetType, Meta(description="The points of the rules that fired.")] = (
        UNSET
    )
    band: Annotated[Band | UnsetType, Meta(description="The policy's name for that score.")] = UNSET
    reasons: Annotated[tuple[str, ...] | UnsetType, Meta(description="The rules that fired.")] = (
        UNSET
    )
    reason: Annotated[str | UnsetType, Meta(description="Why, in a word.")] = UNSET
    limit: Annotated[
        int | UnsetType | None,
        Meta(description="The limit of the method, in minor units; null: another reason."),
    ] = UNSET
    reviewer: Annotated[str | UnsetType, Meta(description="An id, never a name.")] = UNSET
    until: Annotated[
        Moment | UnsetType, Meta(description="When the reviewer's claim ends (UTC).")
    ] = UNSET
    deadline: Annotated[
        Moment | UnsetType, Meta(description="Until when the payment could be decided (UTC).")
    ] = UNSET
    refund_id: Annotated[UUID | UnsetType, Meta(description="The id of this refund.")] = UNSET
    refunded: Annotated[
        int | UnsetType, Meta(description="All refunds together, this one included.")
    ] = UNSET


class EventView(Struct):
    """An event of a payment, without what concerns only the operator."""

    version: Annotated[
        int,
        Meta(
            description="Its number among the payment's events, from 1.", extra_json_schema=FROM_ONE
        ),
    ]
    position: Annotated[
        int,
        Meta(
            description="In the log of all payments: it grows, and may leave numbers out.",
            extra_json_schema=FROM_ONE,
        ),
    ]
    type: Annotated[
        str,
        Meta(
            description="What happened. New types may be added: pass by those that you do not know.",
            examples=[event_class.event_type for event_class in EVENT_CLASSES],
        ),
    ]
    at: Annotated[Moment, Meta(description="When it happened (UTC).")]
    recorded_at: Annotated[
        Moment,
        Meta(description="When the log recorded it (UTC): `state?at=` compares with this."),
    ]
    data: Annotated[EventData, Meta(description="What the event says.")]


class EventList(Struct):
    """All that happened to a payment."""

    events: Annotated[list[EventView], Meta(description="The oldest first.")]


def _count(what: str) -> Meta:
    return Meta(description=f"How many payments {what}.")


def _volume(what: str) -> Meta:
    return Meta(description=f"What {what}, in minor units of the currency.")


class DayView(Struct):
    """One currency on one UTC day.

    Payments count in the totals of the day on which they were submitted, and in the other sums on the
    day on which that happened to them.
    """

    date: Annotated[dt.date, Meta(description="The day, in UTC.")]
    currency: Annotated[str, Meta(description="An ISO 4217 code.")]
    total_count: Annotated[int, _count("were submitted")]
    total_volume: Annotated[int, _volume("they amount to")]
    average: Annotated[
        float | None,
        Meta(
            description="`total_volume` by `total_count`, in minor units, rounded to two decimals;"
            " null: none was submitted."
        ),
    ]
    completed_count: Annotated[int, _count("were completed, whenever they were submitted")]
    completed_volume: Annotated[int, _volume("they amount to")]
    failed_count: Annotated[int, _count("failed")]
    failed_volume: Annotated[int, _volume("they amount to")]
    rejected_count: Annotated[int, _count("a reviewer rejected")]
    rejected_volume: Annotated[int, _volume("they amount to")]
    refunded_count: Annotated[
        int, Meta(description="How many refunds there were; a payment may have several.")
    ]
    refunded_volume: Annotated[int, _volume("was given back by them")]
    review_count: Annotated[int, _count("were flagged for review on this day")]
    open_reviews: Annotated[
        int, Meta(description="How many of those flagged on this day still wait for a decision.")
    ]


class DayList(Struct):
    """The days of which there is something to tell."""

    days: Annotated[
        list[DayView], Meta(description="The newest first, of each day the currencies from A to Z.")
    ]


class ProjectionView(Struct):
    """How far a read model is behind the log, and how many events wait apart because it could not take them.

    Both are counted up to 100,000.
    """

    name: Annotated[str, Meta(description="Which read model.")]
    state: Annotated[
        State,
        Meta(
            description="`behind` catches up by itself. `parked` has read the whole log and misses"
            " events until they are repaired; `stopped`, `needs_rebuild` and `ahead_of_log` wait for an"
            " operator."
        ),
    ]
    position: Annotated[int, Meta(description="Of the last event that it has read; 0: none yet.")]
    events: Annotated[
        int,
        Meta(
            description="How many events it has not read yet, up to 100,000.",
            extra_json_schema=_COUNTED,
        ),
    ]
    seconds: Annotated[
        float, Meta(description="For how long the oldest of those has been waiting; 0: none has.")
    ]
    parked: Annotated[
        int,
        Meta(
            description="How many events wait for a repair, up to 100,000.",
            extra_json_schema=_COUNTED,
        ),
    ]


class ProjectionList(Struct):
    """All read models."""

    projections: Annotated[list[ProjectionView], Meta(description="In no order that would matter.")]


def payments(summaries: Iterable[PaymentSummary]) -> list[PaymentView]:
    """The payments with their customers' references, which one query brings for all of them."""
    rows = list(summaries)
    customers = Customer.objects.filter(pk__in={row.customer_id for row in rows})
    references = dict(customers.values_list("pk", "reference"))
    return [
        PaymentView.of(
            msgspec.convert(row, PaymentFields, from_attributes=True),
            customer_reference=references.get(row.customer_id),
        )
        for row in rows
    ]


def event(recorded: HistoricPaymentEvent) -> EventView:
    return EventView(
        version=recorded.version,
        position=recorded.position,
        type=recorded.event.event_type,
        at=rfc3339(recorded.event.at),
        recorded_at=rfc3339(recorded.recorded_at),
        data=_data(recorded.event),
    )


def _data(event: AnyPaymentEvent) -> EventData:
    match event:
        case PaymentInitiated():
            return EventData(
                amount=event.amount.minor,
                currency=event.amount.currency,
                method=event.method,
                reference=event.reference,
                card=None if event.card is None else CardView(event.card.brand, event.card.last4),
            )
        case PaymentProcessed():
            return EventData()
        case PaymentFailed():
            return EventData(
                reason=event.reason, limit=None if event.limit is None else event.limit.minor
            )
        case PaymentFlaggedForReview():
            return EventData(
                score=event.risk.score,
                band=event.risk.band,
                reasons=event.risk.reasons,
            )
        case ReviewClaimed():
            return EventData(reviewer=event.reviewer, until=rfc3339(event.until))
        case ReviewReleased():
            return EventData(reviewer=event.reviewer)
        case ReviewEscalated() | PaymentFirstApproved() | PaymentApproved() | PaymentRejected():
            return EventData(reviewer=event.reviewer, reason=event.reason)
        case PaymentExpired():
            return EventData(deadline=rfc3339(event.deadline))
        case PaymentCancelled():
            return EventData(reason=event.reason)
        case PaymentRefunded():
            return EventData(
                refund_id=event.refund_id,
                amount=event.refund.minor,
                refunded=event.refunded.minor,
                reason=event.reason,
            )
        case _:
            assert_never(event)


def day(row: DailyStatistics) -> DayView:
    return DayView(
        date=row.day,
        currency=row.currency,
        total_count=row.total_count,
        total_volume=row.total_volume,
        average=round(row.total_volume / row.total_count, 2) if row.total_count else None,
        completed_count=row.completed_count,
        completed_volume=row.completed_volume,
        failed_count=row.failed_count,
        failed_volume=row.failed_volume,
        rejected_count=row.rejected_count,
        rejected_volume=row.rejected_volume,
        refunded_count=row.refunded_count,
        refunded_volume=row.refunded_volume,
        review_count=row.review_count,
        open_reviews=row.open_reviews,
    )


def projection(lag: Lag) -> ProjectionView:
    """Without the error, which may tell of other clients' payments."""
    return ProjectionView(lag.name, lag.state, lag.position, lag.events, lag.seconds, lag.parked)
