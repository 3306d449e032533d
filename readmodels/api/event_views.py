"""The history of a payment in the answers of the read API."""

from collections.abc import Iterable
from typing import Annotated, Final, assert_never
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from payments.aggregates import HistoricPaymentEvent
from payments.api.representation import FROM_ONE, CardView
from payments.domain.methods import Method
from payments.domain.payment.events import (
    EVENT_CLASSES,
    AnyPaymentEvent,
    PaymentApproved,
    PaymentCancelled,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentDisputeResponded,
    PaymentDisputeUpdated,
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
from payments.domain.risk.policy import Band
from payments.domain.text import Moment, rfc3339
from readmodels.feed.disputes import DisputeData, dispute_data

# Staff write notes for each other.
_HIDDEN: Final = (PaymentNoteAdded,)


class EventData(DisputeData, frozen=True, kw_only=True):
    """The data of an event. The fields depend on its type, and new ones may be added."""

    amount: Annotated[int | UnsetType, Meta(description="In minor units.")] = UNSET
    currency: Annotated[str | UnsetType, Meta(description="An ISO 4217 code.")] = UNSET
    method: Annotated[Method | UnsetType, Meta(description="The payment method.")] = UNSET
    reference: Annotated[
        str | UnsetType | None,
        Meta(
            description="Your id of the payment, or of the refund in `payment.refunded`; null: none."
        ),
    ] = UNSET
    card: Annotated[CardView | UnsetType | None, Meta(description="Null: no card was sent.")] = (
        UNSET
    )
    score: Annotated[int | UnsetType, Meta(description="The points of the rules that fired.")] = (
        UNSET
    )
    band: Annotated[Band | UnsetType, Meta(description="The policy's name for that score.")] = UNSET
    reasons: Annotated[tuple[str, ...] | UnsetType, Meta(description="The rules that fired.")] = (
        UNSET
    )
    reason: Annotated[str | UnsetType, Meta(description="The reason code.")] = UNSET
    limit: Annotated[
        int | UnsetType | None,
        Meta(description="The limit of the method, in minor units; null: there is another reason."),
    ] = UNSET
    reviewer: Annotated[
        str | UnsetType, Meta(description="The id of the reviewer. Names are never shown.")
    ] = UNSET
    until: Annotated[
        Moment | UnsetType, Meta(description="When the reviewer's claim ends (UTC).")
    ] = UNSET
    deadline: Annotated[
        Moment | UnsetType, Meta(description="The deadline of the review (UTC).")
    ] = UNSET
    refund_id: Annotated[UUID | UnsetType, Meta(description="The id of this refund.")] = UNSET
    refunded: Annotated[
        int | UnsetType, Meta(description="The sum of all refunds, including this one.")
    ] = UNSET


class EventView(Struct):
    """An event of a payment, without fields that concern only the operator."""

    version: Annotated[
        int,
        Meta(
            description="Its number among the payment's events, from 1. Numbers increase and may have gaps.",
            extra_json_schema=FROM_ONE,
        ),
    ]
    position: Annotated[
        int,
        Meta(
            description="Its position in the log of all payments. Positions increase and may have gaps.",
            extra_json_schema=FROM_ONE,
        ),
    ]
    type: Annotated[
        str,
        Meta(
            description="The type of the event. New types may be added: ignore those that you do not know.",
            examples=[each.event_type for each in EVENT_CLASSES if each not in _HIDDEN],
        ),
    ]
    at: Annotated[Moment, Meta(description="The time of the event (UTC).")]
    recorded_at: Annotated[
        Moment,
        Meta(
            description="The time at which the log recorded it (UTC), which `state?at=` compares."
        ),
    ]
    data: Annotated[EventData, Meta(description="The data of the event.")]


class EventList(Struct):
    """The events of a payment."""

    events: Annotated[list[EventView], Meta(description="The events, the oldest first.")]


def events(history: Iterable[HistoricPaymentEvent]) -> EventList:
    """Return the events that a client may see."""
    return EventList(
        [_event(record) for record in history if not isinstance(record.event, _HIDDEN)]
    )


def _event(recorded: HistoricPaymentEvent) -> EventView:
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
        case ReviewReleased() | ReviewSnoozed() | ReviewResumed():
            return EventData(reviewer=event.reviewer)
        case ReviewAssigned():
            # Who should decide concerns only the operator.
            return EventData(reviewer=event.by)
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
                reference=event.reference,
            )
        case PaymentNoteAdded():
            raise ValueError(f"{event.event_type} is not shown to clients.")
        case (
            PaymentDisputed()
            | PaymentDisputeUpdated()
            | PaymentDisputeResponded()
            | PaymentDisputeClosed()
        ):
            return EventData(**dispute_data(event))
        case _:
            assert_never(event)
