"""How the reads appear in the OpenAPI document."""

from typing import Annotated, Any, Final

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from msgspec import UNSET, Meta, UnsetType

from payments.api.bodies import REFERENCE_LENGTH
from payments.api.openapi import schemas
from payments.api.openapi.components import (
    COMMON_HEADERS,
    PAYMENT_HEADERS,
    answer_example,
    headers,
    refusals,
)
from payments.api.openapi.operations import PAYMENT_PARAMETER, PENDING
from payments.api.representation import PaymentView
from payments.domain.methods import Method
from payments.domain.money import MAX_MINOR
from payments.domain.payment.state import Status
from readmodels.api.representation import DayList, EventList, PaymentPage, ProjectionList


def _query(name: str, description: str, of: Any = str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, of, description=description, **more)


_REFERENCE: Final = {"type": "string", "minLength": 1, "maxLength": REFERENCE_LENGTH}
MAX_VERSION: Final = schemas.INT32_MAX


class _StatusFilter(msgspec.Struct):
    status: Annotated[
        list[Status] | UnsetType,
        Meta(
            description="What has become of it; repeated, one of several: `status=completed&status=failed`."
        ),
    ] = UNSET


class _MethodFilter(msgspec.Struct):
    method: Annotated[Method | UnsetType, Meta(description="How it is paid.")] = UNSET


_CURRENCY: Final = _query("currency", "An ISO 4217 code.", pattern="^[A-Z]{3}$")
_LIST: Final = [
    _StatusFilter,
    _query("from", "Initiated at or after this time or date (UTC).", OpenApiTypes.DATETIME),
    _query("to", "Initiated before this time or date (UTC).", OpenApiTypes.DATETIME),
    _query(
        "ordering",
        "Newest first, or oldest first. By `position`, in the order of the log, the list can be followed:"
        " `next` is never null, and no payment ever appears before it. Each appears once, as it is at"
        " that time, also if it changes later. `status` and `requires_review` do not go with it.",
        enum=["-created_at", "created_at", "position"],
    ),
    _query("cursor", "`next` of an earlier answer to the same question."),
    _query("limit", "Payments a page; default 50.", schemas.integer(1, 100)),
]
_FRESH: Final = [
    OpenApiParameter(
        "X-Min-Position",
        schemas.integer(0, schemas.INT64_MAX),
        OpenApiParameter.HEADER,
        description="The `X-Event-Position` of an earlier answer: wait up to 300 ms until the read model has"
        " seen that event.",
    )
]
_STALE: Final = ("projection_behind", "projection_parked")
_IF_NONE_MATCH: Final = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` of an earlier answer: 304 and no body if it would be the same.",
)
_LIST_HEADERS: Final = {
    "ETag": "A weak one, new whenever the read model has moved: by anybody's payment. None before its first."
}


def _read(
    answer: type[msgspec.Struct],
    summary: str,
    *refused: str,
    description: str,
    shown: dict[str, Any],
    of: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """`shown` is an example of the answer, `of` the headers that it has; with an ETag, 304 is another."""
    conditional = of is not None
    unchanged = OpenApiResponse(
        description="Not modified: the answer would be the one that `If-None-Match` names. It has no body."
    )
    return {
        "summary": summary,
        "description": description,
        "request": None,
        "responses": {
            200: OpenApiResponse(answer, description="What was asked for."),
            **({304: unchanged} if conditional else {}),
            **refusals(*refused),
        },
        "parameters": [
            *([_IF_NONE_MATCH] if conditional else ()),
            *more.pop("parameters", ()),
            *headers(200, 304, **(of or {})),
            *COMMON_HEADERS,
        ],
        "examples": [answer_example("an answer", shown)],
        **more,
    }


_PAGE: Final = {"payments": [PENDING], "next": "WzE3NjM4OTkyMDAwMDAwMDAsIjcyZmU1ZjAxIl0"}
_EVENTS: Final = {
    "events": [
        {
            "version": 1,
            "position": 4710,
            "type": "payment.initiated",
            "at": PENDING["created_at"],
            "recorded_at": "2026-11-23T12:00:00.004711Z",
            "data": {
                "amount": 1_500_000,
                "currency": "USD",
                "method": "credit_card",
                "reference": "order-1042",
            },
        },
        {
            "version": 2,
            "position": 4711,
            "type": "payment.flagged_for_review",
            "at": PENDING["created_at"],
            "recorded_at": "2026-11-23T12:00:00.004711Z",
            "data": PENDING["risk"],
        },
    ]
}
_DAYS: Final = {
    "days": [
        {
            "date": "2026-11-23",
            "currency": "USD",
            "total_count": 2,
            "total_volume": 1_501_999,
            "average": 750_999.5,
            "completed_count": 1,
            "completed_volume": 1_999,
            "failed_count": 0,
            "failed_volume": 0,
            "rejected_count": 0,
            "rejected_volume": 0,
            "refunded_count": 0,
            "refunded_volume": 0,
            "review_count": 1,
            "open_reviews": 1,
        }
    ]
}
_PROJECTIONS: Final = {
    "projections": [
        {
            "name": "payment_summary",
            "state": "current",
            "position": 4711,
            "events": 0,
            "seconds": 0.0,
            "parked": 0,
        }
    ]
}

LIST: Final = _read(
    PaymentPage,
    "List payments",
    "invalid_request",
    "filter_too_broad",
    *_STALE,
    operation_id="list_payments",
    description="Your payments, a page at a time. All filters that are given have to match.",
    shown=_PAGE,
    of=_LIST_HEADERS,
    tags=["payments"],
    parameters=[
        *_FRESH,
        _MethodFilter,
        _CURRENCY,
        _query(
            "customer_id",
            "Your own id of the customer, in any Unicode normalization form.",
            _REFERENCE,
        ),
        _query(
            "reference",
            "Your own id of the payment, in any Unicode normalization form.",
            _REFERENCE,
        ),
        _query("requires_review", "Whether a person had, or has, to decide.", bool),
        _query("amount_min", "In minor units; needs a currency.", schemas.integer(0, MAX_MINOR)),
        _query("amount_max", "In minor units; needs a currency.", schemas.integer(0, MAX_MINOR)),
        *_LIST,
    ],
)
CUSTOMER: Final = _read(
    PaymentPage,
    "List a customer's payments",
    "invalid_request",
    "filter_too_broad",
    *_STALE,
    operation_id="list_customer_payments",
    description="The payments of one customer of yours, a page at a time; an empty page for an unknown one.",
    shown=_PAGE,
    of=_LIST_HEADERS,
    tags=["payments"],
    parameters=[
        *_FRESH,
        OpenApiParameter(
            "customer_id",
            _REFERENCE,
            OpenApiParameter.PATH,
            description="Your own id of the customer (`customer_id` of the payments), percent-encoded.",
            examples=[OpenApiExample("a customer", "customer-456")],
        ),
        *_LIST,
    ],
)
RETRIEVE: Final = _read(
    PaymentView,
    "Read a payment",
    "invalid_request",
    "payment_not_found",
    *_STALE,
    operation_id="read_payment",
    description="As the read model has it, or as the log has it if the read model has not seen it yet."
    " After a command, send its `X-Event-Position` as `X-Min-Position` to read what it wrote.",
    shown=PENDING,
    of=PAYMENT_HEADERS,
    tags=["payments"],
    parameters=[*_FRESH, PAYMENT_PARAMETER],
)
EVENTS: Final = _read(
    EventList,
    "Read what happened to a payment",
    "invalid_request",
    "payment_not_found",
    operation_id="read_payment_events",
    description="Every event of the payment, read from the log itself, the oldest first.",
    shown=_EVENTS,
    of={"ETag": PAYMENT_HEADERS["ETag"]},
    tags=["payments"],
    parameters=[PAYMENT_PARAMETER],
)
STATE: Final = _read(
    PaymentView,
    "Read what a payment was",
    "invalid_request",
    "payment_not_found",
    operation_id="read_payment_state",
    shown=PENDING,
    of=PAYMENT_HEADERS,
    description="The payment after its first events: give a `version`, or a time to take the events that"
    " were recorded by then.",
    tags=["payments"],
    parameters=[
        PAYMENT_PARAMETER,
        _query(
            "version",
            "After this many events. Give either this or a time.",
            schemas.integer(1, MAX_VERSION) | {"format": "int64"},
        ),
        _query(
            "at",
            "As it was known at this time (UTC), by the `recorded_at` of its events. The answer is final:"
            " a time to come is refused.",
            OpenApiTypes.DATETIME,
        ),
    ],
)
DAILY: Final = _read(
    DayList,
    "Read daily statistics",
    "invalid_request",
    *_STALE,
    operation_id="read_daily_statistics",
    description="Counts and volumes of your payments, by UTC day and currency. Give a `date`, or `from` and"
    " `to`.",
    shown=_DAYS,
    of=_LIST_HEADERS,
    tags=["statistics"],
    parameters=[
        *_FRESH,
        _query("date", "One UTC day.", OpenApiTypes.DATE),
        _query("from", "The first day of a range.", OpenApiTypes.DATE),
        _query("to", "The last day of a range, at most 366 days later.", OpenApiTypes.DATE),
        _CURRENCY,
    ],
)
PROJECTIONS: Final = _read(
    ProjectionList,
    "See how far the read models are behind the log",
    "invalid_request",
    operation_id="read_projections",
    description="What lists and statistics are read from, and how current each of it is. It concerns all"
    " clients.",
    shown=_PROJECTIONS,
    tags=["operation"],
)
