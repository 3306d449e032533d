"""The reads in the OpenAPI document: parameters, answers and problems."""

from typing import Annotated, Any, Final

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from msgspec import UNSET, Meta, UnsetType

from payments.api.bodies import REFERENCE_LENGTH
from payments.api.openapi import schemas
from payments.api.openapi.commands import PAYMENT_PARAMETER
from payments.api.openapi.components import (
    COMMON_HEADERS,
    PAYMENT_HEADERS,
    answer_example,
    headers,
    refusals,
)
from payments.api.openapi.operations import PENDING, REFUNDED
from payments.api.representation import PaymentView
from payments.domain.methods import Method
from payments.domain.money import MAX_MINOR
from payments.domain.payment.state import Status
from readmodels.api.event_views import EventList
from readmodels.api.parameters import LONGEST_DAYS, LONGEST_PAGE, PAGE
from readmodels.api.representation import (
    DayList,
    PaymentPage,
    ProjectionList,
    RefundList,
)


def query(name: str, description: str, of: Any = str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, of, description=description, **more)


_REFERENCE: Final = {"type": "string", "minLength": 1, "maxLength": REFERENCE_LENGTH}
MAX_VERSION: Final = schemas.INT32_MAX


class _StatusFilter(msgspec.Struct):
    status: Annotated[
        list[Status] | UnsetType,
        Meta(description="The status. It may be repeated: `status=completed&status=failed`."),
    ] = UNSET


class _MethodFilter(msgspec.Struct):
    method: Annotated[Method | UnsetType, Meta(description="The payment method.")] = UNSET


_CURRENCY: Final = query("currency", "An ISO 4217 code.", pattern="^[A-Z]{3}$")
_LIST: Final = [
    _StatusFilter,
    query("from", "Submitted at or after this time or date (UTC).", OpenApiTypes.DATETIME),
    query("to", "Submitted before this time or date (UTC).", OpenApiTypes.DATETIME),
    query(
        "ordering",
        "Newest first, oldest first, or in the order of the log. A list by `position` can be followed:"
        " `next` is never null, and no payment appears before it later. Each payment appears once, as it"
        " is at that time. `status` and `requires_review` are not accepted with it.",
        enum=["-created_at", "created_at", "position"],
    ),
    query("cursor", "`next` of an earlier answer, with the same filters."),
    query(
        "limit",
        f"The payments on a page; default {PAGE}.",
        schemas.integer(1, LONGEST_PAGE),
    ),
]
FRESH: Final = [
    OpenApiParameter(
        "X-Min-Position",
        schemas.integer(0, schemas.INT64_MAX),
        OpenApiParameter.HEADER,
        description="The `X-Event-Position` of an earlier answer. The read waits up to 300 ms until the read"
        " model has reached that event.",
    )
]
STALE: Final = ("projection_behind", "projection_parked")
_IF_NONE_MATCH: Final = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` of an earlier answer. An unchanged answer is a 304 without a body.",
)
LIST_HEADERS: Final = {
    "ETag": "Weak. It changes whenever the read model moves, and is missing before the first payment."
}


def read(
    answer: type[msgspec.Struct],
    summary: str,
    *refused: str,
    description: str,
    shown: dict[str, Any],
    of: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return the description of a read. `shown` is an example, `of` describes the headers."""
    conditional = of is not None
    unchanged = OpenApiResponse(
        description="Not modified: the `ETag` in `If-None-Match` is current. The answer has no body."
    )
    return {
        "summary": summary,
        "description": description,
        "request": None,
        "responses": {
            (200, "application/json"): OpenApiResponse(answer, description="The answer."),
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
            "cancelled_count": 0,
            "cancelled_volume": 0,
            "expired_count": 0,
            "expired_volume": 0,
            "refunded_count": 0,
            "refunded_volume": 0,
            "payment_day_disputed_count": 0,
            "payment_day_disputed_volume": 0,
            "payment_day_lost_count": 0,
            "payment_day_lost_volume": 0,
            "dispute_day_disputed_count": 0,
            "dispute_day_disputed_volume": 0,
            "dispute_day_lost_count": 0,
            "dispute_day_lost_volume": 0,
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

LIST: Final = read(
    PaymentPage,
    "List payments",
    "invalid_request",
    "filter_too_broad",
    *STALE,
    operation_id="list_payments",
    description="Your payments, a page at a time. A payment has to match all filters.",
    shown=_PAGE,
    of=LIST_HEADERS,
    tags=["payments"],
    parameters=[
        *FRESH,
        _MethodFilter,
        _CURRENCY,
        query(
            "customer_id",
            "Your id of the customer, in any Unicode normalization form.",
            _REFERENCE,
        ),
        query(
            "reference",
            "Your id of the payment, in any Unicode normalization form.",
            _REFERENCE,
        ),
        query("requires_review", "Whether the payment was flagged for review.", bool),
        query("amount_min", "In minor units. Requires `currency`.", schemas.integer(0, MAX_MINOR)),
        query("amount_max", "In minor units. Requires `currency`.", schemas.integer(0, MAX_MINOR)),
        *_LIST,
    ],
)
CUSTOMER: Final = read(
    PaymentPage,
    "List a customer's payments",
    "invalid_request",
    "filter_too_broad",
    *STALE,
    operation_id="list_customer_payments",
    description="The payments of one of your customers, a page at a time. An unknown customer has none.",
    shown=_PAGE,
    of=LIST_HEADERS,
    tags=["payments"],
    parameters=[
        *FRESH,
        OpenApiParameter(
            "customer_id",
            _REFERENCE,
            OpenApiParameter.PATH,
            description="Your id of the customer (`customer_id` of the payments), percent-encoded.",
            examples=[OpenApiExample("a customer", "customer-456")],
        ),
        *_LIST,
    ],
)
RETRIEVE: Final = read(
    PaymentView,
    "Read a payment",
    "invalid_request",
    "payment_not_found",
    *STALE,
    operation_id="read_payment",
    description="The payment from the read model, or from the log if it is disputed or the read model has"
    " not reached it."
    " After a command, send its `X-Event-Position` as `X-Min-Position` to read its outcome.",
    shown=PENDING,
    of=PAYMENT_HEADERS,
    tags=["payments"],
    parameters=[*FRESH, PAYMENT_PARAMETER],
)
EVENTS: Final = read(
    EventList,
    "Read the events of a payment",
    "invalid_request",
    "payment_not_found",
    operation_id="read_payment_events",
    description="Every event of the payment from the log, the oldest first.",
    shown=_EVENTS,
    of={"ETag": PAYMENT_HEADERS["ETag"]},
    tags=["payments"],
    parameters=[PAYMENT_PARAMETER],
)
REFUNDS: Final = read(
    RefundList,
    "List the refunds of a payment",
    "invalid_request",
    "payment_not_found",
    operation_id="list_refunds",
    description="Every refund of the payment from the log, the oldest first.",
    shown={"refunds": [REFUNDED]},
    of={"ETag": PAYMENT_HEADERS["ETag"]},
    tags=["payments"],
    parameters=[PAYMENT_PARAMETER],
)
STATE: Final = read(
    PaymentView,
    "Read an earlier state of a payment",
    "invalid_request",
    "payment_not_found",
    operation_id="read_payment_state",
    shown=PENDING,
    of=PAYMENT_HEADERS,
    description="The payment at a `version`, or as it was recorded `at` a time.",
    tags=["payments"],
    parameters=[
        PAYMENT_PARAMETER,
        query(
            "version",
            "The state after this many events. Send either `version` or `at`.",
            schemas.integer(1, MAX_VERSION) | {"format": "int64"},
        ),
        query(
            "at",
            "The state of the events whose `recorded_at` is not after this time (UTC). The answer is final:"
            " a future time is refused.",
            OpenApiTypes.DATETIME,
        ),
    ],
)
DAILY: Final = read(
    DayList,
    "Read daily statistics",
    "invalid_request",
    *STALE,
    operation_id="read_daily_statistics",
    description="Counts and volumes of your payments, by UTC day and currency. Send `date`, or `from` and"
    " `to`.",
    shown=_DAYS,
    of=LIST_HEADERS,
    tags=["statistics"],
    parameters=[
        *FRESH,
        query("date", "One UTC day.", OpenApiTypes.DATE),
        query("from", "The first day of a range.", OpenApiTypes.DATE),
        query(
            "to",
            f"The last day of a range, at most {LONGEST_DAYS} days later.",
            OpenApiTypes.DATE,
        ),
        _CURRENCY,
    ],
)
PROJECTIONS: Final = read(
    ProjectionList,
    "Read the lag of the read models",
    "invalid_request",
    operation_id="read_projections",
    description="The read models of lists and statistics, and how current each one is for all clients.",
    shown=_PROJECTIONS,
    tags=["operation"],
)
