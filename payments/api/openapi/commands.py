"""Parts that the commands in the OpenAPI document share: parameters, headers and problems."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from payments.api.http import preconditions, reading
from payments.api.openapi.components import (
    COMMON_HEADERS,
    PAYMENT_HEADERS,
    headers,
    refusals,
)
from payments.api.openapi.problem_examples import PAYMENT_ID
from payments.api.representation import PaymentView

REQUEST_ID: Final = OpenApiParameter(
    "X-Request-ID",
    str,
    OpenApiParameter.HEADER,
    description="Your id of the request: up to 64 characters of A-Z a-z 0-9 . _ -. Without a valid one the"
    " service generates an id. The answer, the logs and the events contain it.",
)
CORRELATION_ID: Final = OpenApiParameter(
    "X-Correlation-ID",
    str,
    OpenApiParameter.HEADER,
    description="Your id of the purpose, the same for all its requests, in the same characters. The default"
    " is the request's id. The logs and the events contain it.",
)
IDEMPOTENCY_KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="A new random value for each command, and the same value when you try again."
    " A repetition gets the first answer again, with `Idempotency-Replayed: true`. A refused command is"
    " decided again. Quotes around the key make no difference. A card number of 15 or 16 digits is refused,"
    " also as in `card-...`. UUIDs and hashes are accepted.",
    pattern=reading.KEY_PATTERN,
    examples=[OpenApiExample("a UUID", "6c1f0f6e-3b0d-4a53-8d5e-2d8f4a7c9b10")],
)
PAYMENT_PARAMETER: Final = OpenApiParameter(
    "payment_id",
    OpenApiTypes.UUID,
    OpenApiParameter.PATH,
    description="The `id` of the payment, in lower or upper case.",
    examples=[OpenApiExample("a payment", PAYMENT_ID)],
)
MUST_MATCH: Final = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="The `ETag` of the payment that the reviewer looked at, or `*` to decide on any version."
    " A repetition is recognized before the version is checked.",
    pattern=preconditions.PATTERN,
    examples=[OpenApiExample("the second version", '"2"')],
)
MAY_MATCH: Final = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` of the payment, to refuse the command if the payment has changed since.",
    pattern=preconditions.PATTERN,
    examples=[OpenApiExample("the second version", '"2"')],
)
# Problems with a body, and the headers of the responses to them.
BODY: Final = (
    "invalid_json",
    "invalid_request",
    "body_too_slow",
    "body_too_large",
    "unsupported_media_type",
)
BODY_HEADERS: Final = headers(
    415,
    Accept="The accepted media type, unless the body was compressed.",
    Accept_Encoding="`identity`, if the body was compressed.",
)
KEY_PROBLEMS: Final = (
    "idempotency_key_missing",
    "idempotency_key_invalid",
    "idempotency_key_reused",
)


def command(
    *,
    body: type[msgspec.Struct] | None,
    status: int,
    summary: str,
    refused: Sequence[str],
    description: str,
    nothing: str | None = None,
    answer: type[msgspec.Struct] = PaymentView,
    **more: Any,
) -> dict[str, Any]:
    return {
        "summary": summary,
        "description": description,
        "request": None if body is None else {"application/json": body},
        "responses": {
            status: OpenApiResponse(answer, description="The payment after the command."),
            **({} if nothing is None else {204: OpenApiResponse(description=nothing)}),
            **refusals("log_contradicted", *BODY, *KEY_PROBLEMS, *refused),
        },
        "parameters": [
            IDEMPOTENCY_KEY,
            REQUEST_ID,
            CORRELATION_ID,
            *more.pop("parameters", ()),
            *headers(
                status,
                **PAYMENT_HEADERS,
                Idempotency_Replayed="`true` if this repeats the answer to an earlier request.",
            ),
            *headers(412, ETag="The current version of the payment, in quotes."),
            *BODY_HEADERS,
            *COMMON_HEADERS,
        ],
        **more,
    }
