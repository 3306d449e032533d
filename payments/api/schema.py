"""How the commands appear in the OpenAPI document, made from the structs that read them."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import Direction, OpenApiExample, OpenApiParameter, OpenApiResponse

from payments.api import problems
from payments.api.bodies import ApproveBody, RejectBody, SubmitBody
from payments.api.representation import PaymentView


class ProblemDetails(msgspec.Struct):
    """RFC 9457, with a stable `code` and the id under which the logs know the request."""

    type: str
    title: str
    status: int
    code: Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(problems.KINDS)})]
    detail: str
    instance: str
    request_id: str
    errors: list[problems.FieldError] | None = None


class StructExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Lets a struct stand wherever drf-spectacular expects a serializer."""

    target_class = "msgspec.Struct"
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str:
        return str(self.target.__name__)

    def get_identity(self, auto_schema: AutoSchema, direction: Direction) -> str:
        # The components below know only their names, so a struct is known by its name too.
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        _, components = msgspec.json.schema_components(
            [self.target], ref_template="#/components/schemas/{name}"
        )
        own = components.pop(self.target.__name__)
        for name, component in components.items():
            auto_schema.registry.register_on_missing(
                ResolvedComponent(  # type: ignore[no-untyped-call]
                    name=name,
                    type=ResolvedComponent.SCHEMA,
                    object=name,
                    schema=component,
                )
            )
        return dict(own)


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "payments.api.authentication.BearerAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A key that `manage.py create_api_key` made: pk_...",
        }


_EVERYWHERE: Final = (
    "not_authenticated",
    "permission_denied",
    "not_acceptable",
    "throttled",
    "internal_error",
    "temporarily_unavailable",
)


def refusals(*codes: str) -> dict[Any, OpenApiResponse]:
    """Responses for these problem codes and for those that every endpoint may answer."""
    by_status: dict[int, list[str]] = {}
    for code in sorted({*codes, *_EVERYWHERE}, key=lambda code: problems.KINDS[code].status):
        by_status.setdefault(problems.KINDS[code].status.value, []).append(code)
    return {
        (status, problems.CONTENT_TYPE): OpenApiResponse(
            ProblemDetails,
            description="; ".join(f"`{code}`: {problems.KINDS[code].title}" for code in found),
        )
        for status, found in by_status.items()
    }


def headers(*statuses: int, **described: str) -> list[OpenApiParameter]:
    """Headers of answers with these statuses; an underscore stands for a hyphen."""
    return [
        OpenApiParameter(
            name.replace("_", "-"),
            str,
            OpenApiParameter.HEADER,
            response=list(statuses),
            description=text,
        )
        for name, text in described.items()
    ]


PAYMENT_HEADERS: Final = {
    "ETag": "The payment's version.",
    "X_Event_Position": "The position of the payment's last event in the log.",
}
COMMON_HEADERS: Final = [
    *headers(429, 503, Retry_After="After how many seconds to try again."),
    *headers(401, WWW_Authenticate="How to authenticate."),
]
_REQUEST_ID: Final = OpenApiParameter(
    "X-Request-ID",
    str,
    OpenApiParameter.HEADER,
    description="Yours, up to 64 of A-Z a-z 0-9 . _ -; else one is made. The answer, the logs and the"
    " events carry it.",
)
_CORRELATION_ID: Final = OpenApiParameter(
    "X-Correlation-ID",
    str,
    OpenApiParameter.HEADER,
    description="The same for all requests that you make for one purpose, of the same characters;"
    " else the request's id. The logs and the events carry it.",
)
_IDEMPOTENCY_KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="New and random for each command, the same one when it is tried again."
    " A repetition is answered like the first, with `Idempotency-Replayed: true`.",
    examples=[OpenApiExample("a UUID", "6c1f0f6e-3b0d-4a53-8d5e-2d8f4a7c9b10")],
)
_PAYMENT_ID: Final = OpenApiParameter("payment_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_BODY: Final = (
    "invalid_json",
    "invalid_request",
    "idempotency_key_missing",
    "idempotency_key_invalid",
    "idempotency_key_reused",
    "length_required",
    "body_too_large",
    "unsupported_media_type",
)


def _command(
    *, body: type[msgspec.Struct], status: int, summary: str, refused: Sequence[str], **more: Any
) -> dict[str, Any]:
    return {
        "summary": summary,
        "request": {"application/json": body},
        "responses": {
            status: OpenApiResponse(PaymentView, description="The payment."),
            **refusals(*_BODY, *refused),
        },
        "parameters": [
            _IDEMPOTENCY_KEY,
            _REQUEST_ID,
            _CORRELATION_ID,
            *more.pop("parameters", ()),
            *headers(
                status,
                **PAYMENT_HEADERS,
                Idempotency_Replayed="`true` if this repeats the answer to an earlier request.",
            ),
            *COMMON_HEADERS,
        ],
        **more,
    }


_PENDING: Final = {
    "id": "72fe5f01-cc2e-5f54-be3b-02927c1e954b",
    "status": "pending_review",
    "amount": 1_500_000,
    "currency": "USD",
    "method": "credit_card",
    "customer_id": "customer-123",
    "reference": "order-981",
    "failure_reason": None,
    "risk": {"score": 80, "band": "high", "reasons": ["first_card_payment_large"]},
    "review": None,
    "version": 2,
    "position": 4711,
    "created_at": "2026-11-23T12:00:00.000000Z",
    "updated_at": "2026-11-23T12:00:00.000000Z",
}


def _problem(code: str, detail: str, field: str) -> dict[str, Any]:
    kind = problems.KINDS[code]
    return {
        "type": f"{problems.PATH}/{code}",
        "title": kind.title,
        "status": kind.status.value,
        "code": code,
        "detail": detail,
        "instance": "/api/v1/payments",
        "request_id": "7b410556-ef60-40ba-81c7-9717d3e1b190",
        "errors": [{"field": field, "code": "wrong_type", "detail": detail.partition(": ")[2]}],
    }


SUBMIT: Final = _command(
    body=SubmitBody,
    status=201,
    summary="Submit a payment",
    description="Most payments are completed or failed at once; a large risky one waits for review.",
    refused=["reference_taken"],
    parameters=headers(201, Location="The payment's address."),
    examples=[
        OpenApiExample(
            "a large first card payment",
            {
                "amount": 1_500_000,
                "currency": "USD",
                "method": "credit_card",
                "customer_id": "customer-123",
                "reference": "order-981",
            },
            request_only=True,
        ),
        OpenApiExample("waits for review", _PENDING, response_only=True, status_codes=["201"]),
        OpenApiExample(
            "an amount that is no integer",
            _problem("invalid_request", "amount: Expected `int`, got `float`.", "amount"),
            response_only=True,
            media_type=problems.CONTENT_TYPE,
            status_codes=["400"],
        ),
    ],
    tags=["payments"],
    operation_id="submit_payment",
)
APPROVE: Final = _command(
    body=ApproveBody,
    status=200,
    summary="Approve a payment that waits for review",
    refused=["payment_not_found", "not_under_review", "stale_version"],
    parameters=[_PAYMENT_ID],
    tags=["review"],
    operation_id="approve_payment",
)
REJECT: Final = _command(
    body=RejectBody,
    status=200,
    summary="Reject a payment that waits for review",
    refused=["payment_not_found", "not_under_review", "stale_version"],
    parameters=[_PAYMENT_ID],
    tags=["review"],
    operation_id="reject_payment",
)
