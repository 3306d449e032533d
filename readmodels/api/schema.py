"""How the reads appear in the OpenAPI document."""

from typing import Any, Final

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from payments.api.representation import PaymentView
from payments.api.schema import COMMON_HEADERS, PAYMENT_HEADERS, headers, refusals
from payments.domain.methods import Method
from payments.domain.payment import Status
from readmodels.api.representation import DayList, EventList, PaymentPage, ProjectionList


def _query(name: str, description: str, of: Any = str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, of, description=description, **more)


_RANGE: Final = [
    _query("from", "Initiated at or after this time or date (UTC).", OpenApiTypes.DATETIME),
    _query("to", "Initiated before this time or date (UTC).", OpenApiTypes.DATETIME),
]
_PAGING: Final = [
    _query("cursor", "`next` of an earlier answer."),
    _query("limit", "1 to 100 payments a page, default 50.", int),
]
_FRESH: Final = [
    OpenApiParameter(
        "X-Min-Position",
        int,
        OpenApiParameter.HEADER,
        description="The `X-Event-Position` of an earlier answer: wait up to 300 ms until the read model has"
        " seen that event.",
    )
]
_STALE: Final = ("projection_behind", "projection_parked")
_PAYMENT_ID: Final = OpenApiParameter("payment_id", OpenApiTypes.UUID, OpenApiParameter.PATH)


def _read(answer: type[msgspec.Struct], summary: str, *refused: str, **more: Any) -> dict[str, Any]:
    return {
        "summary": summary,
        "request": None,
        "responses": {200: OpenApiResponse(answer), **refusals(*refused)},
        "parameters": [*more.pop("parameters", ()), *COMMON_HEADERS],
        **more,
    }


LIST: Final = _read(
    PaymentPage,
    "List payments",
    "invalid_request",
    "filter_too_broad",
    *_STALE,
    operation_id="list_payments",
    tags=["payments"],
    parameters=[
        *_FRESH,
        _query("status", "", enum=list(Status)),
        _query("method", "", enum=list(Method)),
        _query("currency", "An ISO 4217 code."),
        _query("customer_id", "Your own id of the customer."),
        _query("requires_review", "Whether a person had, or has, to decide.", bool),
        _query("amount_min", "In minor units; needs a currency.", int),
        _query("amount_max", "In minor units; needs a currency.", int),
        *_RANGE,
        *_PAGING,
    ],
)
CUSTOMER: Final = _read(
    PaymentPage,
    "List a customer's payments",
    "invalid_request",
    "filter_too_broad",
    *_STALE,
    operation_id="list_customer_payments",
    tags=["payments"],
    parameters=[
        *_FRESH,
        OpenApiParameter("reference", str, OpenApiParameter.PATH, description="Your own id."),
        *_RANGE,
        *_PAGING,
    ],
)
RETRIEVE: Final = _read(
    PaymentView,
    "Read a payment",
    "invalid_request",
    "payment_not_found",
    *_STALE,
    operation_id="read_payment",
    tags=["payments"],
    parameters=[*_FRESH, _PAYMENT_ID, *headers(200, **PAYMENT_HEADERS)],
)
EVENTS: Final = _read(
    EventList,
    "Read what happened to a payment",
    "payment_not_found",
    operation_id="read_payment_events",
    tags=["payments"],
    parameters=[_PAYMENT_ID],
)
STATE: Final = _read(
    PaymentView,
    "Read what a payment was",
    "invalid_request",
    "payment_not_found",
    operation_id="read_payment_state",
    description="Folded from the payment's first events: by version, or by when they were recorded.",
    tags=["payments"],
    parameters=[
        _PAYMENT_ID,
        _query("version", "After this many events. Give either this or a time.", int),
        _query("at", "As it was known at this time (UTC).", OpenApiTypes.DATETIME),
        *headers(200, **PAYMENT_HEADERS),
    ],
)
DAILY: Final = _read(
    DayList,
    "Read daily statistics",
    "invalid_request",
    *_STALE,
    operation_id="read_daily_statistics",
    tags=["statistics"],
    parameters=[
        *_FRESH,
        _query("date", "One UTC day.", OpenApiTypes.DATE),
        _query("from", "The first day of a range.", OpenApiTypes.DATE),
        _query("to", "The last day of a range, at most 366 days later.", OpenApiTypes.DATE),
    ],
)
PROJECTIONS: Final = _read(
    ProjectionList,
    "See how far the read models are behind the log",
    "invalid_request",
    operation_id="read_projections",
    tags=["operation"],
)
