"""How the commands appear in the OpenAPI document, made from the structs that read them."""

from collections.abc import Sequence
from typing import Any, Final

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
    code: str
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


def refusals(*codes: str) -> dict[Any, OpenApiResponse]:
    """Responses for these problem codes and for those that every endpoint may answer."""
    by_status: dict[int, list[str]] = {}
    for code in (*codes, "not_authenticated", "permission_denied", "throttled"):
        by_status.setdefault(problems.KINDS[code].status.value, []).append(code)
    by_status[503] = ["temporarily_unavailable"]
    return {
        (status, problems.CONTENT_TYPE): OpenApiResponse(
            ProblemDetails,
            description="; ".join(f"`{code}`: {problems.KINDS[code].title}" for code in found),
        )
        for status, found in by_status.items()
    }


def _headers(*codes: int) -> list[OpenApiParameter]:
    described = {
        "ETag": "The payment's version.",
        "X-Event-Position": "The position of the payment's last event in the log.",
        "X-Request-ID": "Under which the logs know the request.",
    }
    return [
        OpenApiParameter(name, str, OpenApiParameter.HEADER, response=list(codes), description=text)
        for name, text in described.items()
    ]


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
        "parameters": [_IDEMPOTENCY_KEY, *more.pop("parameters", ()), *_headers(status)],
        **more,
    }


SUBMIT: Final = _command(
    body=SubmitBody,
    status=201,
    summary="Submit a payment",
    description="Most payments are completed or failed at once; a large risky one waits for review.",
    refused=["reference_taken"],
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
