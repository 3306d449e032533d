"""The catalogue of public events, and their bodies without the operator's internal data.

A body never contains scores, rules, policies, reviewers or notes. Events of the review itself, such as a
claim, are not public.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, assert_never
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from payments.aggregates import RecordedPaymentEvent
from payments.api.representation import FROM_ONE, CardView
from payments.domain.methods import Method
from payments.domain.money import MAX_MINOR, Money
from payments.domain.payment.events import (
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
from payments.domain.payment.state import REVIEW_PERIOD, Status
from payments.domain.text import Moment, rfc3339
from readmodels.feed.disputes import DisputeData, dispute_data

_DISPUTED: Final = (
    "reason",
    "dispute_id",
    "dispute_kind",
    "network",
    "network_reason_code",
    "disputed_amount",
    "respond_by",
)
_AMOUNT: Final = {"minimum": 1, "maximum": MAX_MINOR}


class EventType(Struct, frozen=True):
    """A public type: its meaning for a client, and the fields of `data` that not all types have."""

    meaning: str
    fields: tuple[str, ...] = ()


# In the order of a payment's life.
EVENT_TYPES: Final[Mapping[str, EventType]] = {
    PaymentProcessed.event_type: EventType("The payment is completed."),
    PaymentFailed.event_type: EventType("The payment failed.", ("reason",)),
    PaymentFlaggedForReview.event_type: EventType(
        "A reviewer has to decide before the deadline.", ("deadline",)
    ),
    PaymentApproved.event_type: EventType(
        "A reviewer approved the payment. `payment.processed` follows at once."
    ),
    PaymentRejected.event_type: EventType(
        "A reviewer rejected the payment, which is final.", ("reason",)
    ),
    PaymentExpired.event_type: EventType(
        "Nobody decided before the deadline, which is final.", ("deadline",)
    ),
    PaymentCancelled.event_type: EventType(
        "You or the operator cancelled the payment before it was completed.", ("reason",)
    ),
    PaymentRefunded.event_type: EventType(
        "A part or all of the payment was refunded.",
        ("reason", "refund_id", "refund_reference", "refund_amount", "refunded_amount"),
    ),
    PaymentDisputed.event_type: EventType(
        "The customer disputes a part or all of the payment.", (*_DISPUTED, "opened_at")
    ),
    PaymentDisputeUpdated.event_type: EventType(
        "The dispute has changed, for example from an inquiry to a chargeback.",
        (*_DISPUTED, "dispute_updated_at"),
    ),
    PaymentDisputeResponded.event_type: EventType(
        "You or the operator contested the dispute.", ("dispute_id", "responded_at")
    ),
    PaymentDisputeClosed.event_type: EventType(
        "The dispute has ended. A later notice may correct the outcome.",
        ("dispute_id", "outcome", "lost_amount", "closed_at"),
    ),
}
# Sent to a webhook endpoint at its owner's request. The feed never contains it.
TEST_TYPE: Final = "webhook.test"


class FeedData(DisputeData, frozen=True, kw_only=True):
    """The payment after the event. Fields that are not required are present for some types only."""

    payment_id: Annotated[UUID, Meta(description="The id of the payment.")]
    reference: Annotated[
        str | None, Meta(description="Your id of the payment; null: you sent none.")
    ]
    customer_id: Annotated[
        str | None, Meta(description="Your id of the customer; null: the customer was erased.")
    ]
    amount: Annotated[
        int, Meta(description="In minor units of the currency.", extra_json_schema=_AMOUNT)
    ]
    currency: Annotated[str, Meta(description="An ISO 4217 code.")]
    method: Annotated[Method, Meta(description="The payment method.")]
    card: Annotated[CardView | None, Meta(description="Null: no card was sent.")]
    status: Annotated[Status, Meta(description="The status of the payment after the event.")]
    reason: Annotated[str | UnsetType, Meta(description="The reason code.")] = UNSET
    deadline: Annotated[
        Moment | UnsetType, Meta(description="The deadline of the review (UTC).")
    ] = UNSET
    refund_id: Annotated[UUID | UnsetType, Meta(description="The id of this refund.")] = UNSET
    refund_reference: Annotated[
        str | UnsetType | None, Meta(description="Your id of this refund; null: you sent none.")
    ] = UNSET
    refund_amount: Annotated[
        int | UnsetType, Meta(description="The amount of this refund.", extra_json_schema=_AMOUNT)
    ] = UNSET
    refunded_amount: Annotated[
        int | UnsetType,
        Meta(description="The sum of all refunds, including this one.", extra_json_schema=_AMOUNT),
    ] = UNSET


class FeedEvent(Struct, frozen=True, kw_only=True):
    """An event of a payment, as in the body of a webhook."""

    id: Annotated[
        str,
        Meta(
            description="The same for each delivery of the event. Store it to recognize repetitions.",
            pattern="^evt_",
        ),
    ]
    type: Annotated[
        str,
        Meta(
            description="The type of the event. New types may be added: ignore those that you do not know.",
            examples=list(EVENT_TYPES),
        ),
    ]
    timestamp: Annotated[Moment, Meta(description="The time of the event (UTC).")]
    position: Annotated[
        int,
        Meta(
            description="Its position in the log of all payments. Positions increase and have gaps.",
            extra_json_schema=FROM_ONE,
        ),
    ]
    data: Annotated[FeedData, Meta(description="The payment after the event.")]


def event_id(position: int) -> str:
    """Return the public id of the event at a position of the log."""
    return f"evt_{position}"


def public(
    record: RecordedPaymentEvent, begun: AnyPaymentEvent, *, customer_reference: str | None
) -> FeedEvent:
    """Return the public form of an event. `begun` is the payment's first event, which holds the reference."""
    event = record.event
    reference = card = None
    if isinstance(begun, PaymentInitiated):
        reference, card = begun.reference, begun.card
    return FeedEvent(
        id=event_id(record.position),
        type=event.event_type,
        timestamp=rfc3339(event.at),
        position=record.position,
        data=FeedData(
            payment_id=record.aggregate_id,
            reference=reference,
            customer_id=customer_reference,
            amount=event.amount.minor,
            currency=event.amount.currency,
            method=event.method,
            card=None if card is None else CardView(card.brand, card.last4),
            **_particulars(event),
        ),
    )


def _particulars(event: AnyPaymentEvent) -> dict[str, Any]:
    """Return the status after the event, and the fields that only its type has. Raises ValueError."""
    match event:
        case PaymentProcessed():
            return {"status": Status.COMPLETED}
        case PaymentFailed(reason=reason):
            return {"status": Status.FAILED, "reason": reason}
        case PaymentFlaggedForReview(deadline=deadline, at=at):
            deadline = deadline or at + REVIEW_PERIOD
            return {"status": Status.PENDING_REVIEW, "deadline": rfc3339(deadline)}
        case PaymentApproved():
            # PaymentProcessed is in the same append, so no reader ever finds the payment still waiting.
            return {"status": Status.COMPLETED}
        case PaymentRejected(reason=reason):
            return {"status": Status.REJECTED, "reason": reason}
        case PaymentExpired(deadline=deadline):
            return {"status": Status.EXPIRED, "deadline": rfc3339(deadline)}
        case PaymentCancelled(reason=reason):
            return {"status": Status.CANCELLED, "reason": reason}
        case PaymentRefunded():
            return {
                "status": _completed(event.refunded, event.amount),
                "reason": event.reason,
                "refund_id": event.refund_id,
                "refund_reference": event.reference,
                "refund_amount": event.refund.minor,
                "refunded_amount": event.refunded.minor,
            }
        case (
            PaymentDisputed()
            | PaymentDisputeUpdated()
            | PaymentDisputeResponded()
            | PaymentDisputeClosed()
        ):
            return {"status": _completed(event.refunded, event.amount), **dispute_data(event)}
        case (
            PaymentInitiated()
            | ReviewClaimed()
            | ReviewReleased()
            | ReviewSnoozed()
            | ReviewResumed()
            | ReviewAssigned()
            | ReviewEscalated()
            | PaymentFirstApproved()
            | PaymentNoteAdded()
        ):
            raise ValueError(f"{event.event_type} is not a public event.")
        case _:
            assert_never(event)


def _completed(refunded: Money | None, amount: Money) -> Status:
    """Return the status of a completed payment after these refunds."""
    if refunded is None:
        return Status.COMPLETED
    return Status.REFUNDED if refunded == amount else Status.PARTIALLY_REFUNDED
