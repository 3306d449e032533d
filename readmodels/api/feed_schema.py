"""The event feed in the OpenAPI document, and the structs of its answers."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from payments.api.openapi import schemas
from payments.api.openapi.components import headers
from payments.api.openapi.operations import PENDING
from payments.domain.text import Moment
from readmodels.api.schema import query, read
from readmodels.feed import events
from readmodels.feed.events import TEST_TYPE, FeedData, FeedEvent

# The OpenAPI document omits this media type. With two, a generated client would return a union of both
# answers.
CLOUD_EVENTS: Final = "application/cloudevents-batch+json"
LONGEST_PAGE: Final = 1_000


class FeedPage(Struct, frozen=True):
    """A page of the event feed."""

    events: Annotated[
        list[FeedEvent], Meta(description="At most `limit`, in the order of the log.")
    ]
    next_after: Annotated[
        int,
        Meta(
            description="The `after` of the next page. An event at or below this position never appears"
            " later. It also moves on if no event has the requested types.",
            extra_json_schema={"minimum": 0},
        ),
    ]
    caught_up: Annotated[
        bool,
        Meta(description="There are no more events now: wait before you read the next page."),
    ]


class CloudEvent(Struct, frozen=True, kw_only=True):
    """An event as a CloudEvent 1.0."""

    specversion: Annotated[str, Meta(description="The version of CloudEvents: 1.0.")]
    id: Annotated[str, Meta(description="The same for each delivery of the event.")]
    source: Annotated[str, Meta(description="The address of the payment.")]
    type: Annotated[str, Meta(description="The type of the event.")]
    time: Annotated[Moment, Meta(description="The time of the event (UTC).")]
    subject: Annotated[
        str | UnsetType, Meta(description="Your id of the payment, if you sent one.")
    ] = UNSET
    datacontenttype: Annotated[str, Meta(description="The media type of `data`.")]
    data: Annotated[FeedData, Meta(description="The payment after the event.")]


class EventTypeView(Struct, frozen=True):
    """A type of events."""

    type: Annotated[str, Meta(description="The name of the type. It is never renamed.")]
    description: Annotated[str, Meta(description="The meaning of such an event.")]
    fields: Annotated[
        tuple[str, ...], Meta(description="The fields of `data` that not all types have.")
    ]


class EventTypeList(Struct, frozen=True):
    """All types of events."""

    event_types: Annotated[list[EventTypeView], Meta(description="New types may be added.")]


TYPES: Final = EventTypeList(
    [
        *(
            EventTypeView(name, found.meaning, found.fields)
            for name, found in events.EVENT_TYPES.items()
        ),
        EventTypeView(TEST_TYPE, "A test that you requested. Only webhooks send it.", ()),
    ]
)


def cloud_event(event: FeedEvent) -> CloudEvent:
    return CloudEvent(
        specversion="1.0",
        id=event.id,
        source=f"/api/v1/payments/{event.data.payment_id}",
        type=event.type,
        time=event.timestamp,
        subject=event.data.reference or UNSET,
        datacontenttype="application/json",
        data=event.data,
    )


_DATA: Final = {
    "payment_id": PENDING["id"],
    **{name: PENDING[name] for name in ("reference", "customer_id", "amount", "currency")},
    **{name: PENDING[name] for name in ("method", "card", "status")},
    "deadline": PENDING["review_deadline"],
}
_EVENT: Final = {
    "id": "evt_4711",
    "type": "payment.flagged_for_review",
    "timestamp": PENDING["created_at"],
    "position": 4711,
    "data": _DATA,
}
_PAGE: Final = {"events": [_EVENT], "next_after": 4711, "caught_up": True}


EVENTS: Final = read(
    FeedPage,
    "Follow the events of your payments",
    "invalid_request",
    "projection_behind",
    operation_id="list_events",
    description="Events of your payments after a position, in the order of the log. Store `next_after` with"
    " the outcome of your work, in one transaction, and read on from there: you miss no event. With `Accept:"
    f" {CLOUD_EVENTS}` the answer is a batch of CloudEvents 1.0, and `X-Event-Position` is the next `after`.",
    shown=_PAGE,
    tags=["events"],
    parameters=[
        query(
            "after",
            "The `next_after` of the page before; default 0, the beginning of the log.",
            schemas.integer(0, schemas.INT64_MAX),
        ),
        query("limit", "The events on a page; default 100.", schemas.integer(1, LONGEST_PAGE)),
        query(
            "type",
            "Only events of this type. It may be repeated.",
            {"type": "array", "items": {"type": "string", "enum": list(events.EVENT_TYPES)}},
        ),
        *headers(200, X_Event_Position="The `next_after` of the page."),
    ],
)
EVENT_TYPES: Final = read(
    EventTypeList,
    "List the types of events",
    "invalid_request",
    operation_id="list_event_types",
    description="The catalogue of events that the feed contains and webhooks send.",
    shown=msgspec.to_builtins(TYPES),
    tags=["events"],
)
