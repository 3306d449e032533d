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
from payments.api.bodies import ApproveBody, CancelBody, RefundBody, RejectBody, SubmitBody
from payments.api.representation import PaymentView


class ProblemDetails(msgspec.Struct):
    """RFC 9457, with a stable `code` and the id under which the logs know the request.

    What follows `errors` is told where it helps: of the payment, what it is now.
    """

    type: str
    title: str
    status: int
    code: Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(problems.KINDS)})]
    detail: str
    instance: str
    request_id: str
    errors: list[problems.FieldError] | None = None
    payment_id: str | None = None
    payment_status: str | None = None
    version: str | None = None
    decision: str | None = None
    decided_by: str | None = None
    deadline: str | None = None
    refundable: str | None = None
    currency: str | None = None


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


_NUMBERS: Final = {"X_Event_Position", "Retry_After"}


def headers(*statuses: int, **described: str) -> list[OpenApiParameter]:
    """Headers of answers with these statuses; an underscore stands for a hyphen."""
    return [
        OpenApiParameter(
            name.replace("_", "-"),
            int if name in _NUMBERS else str,
            OpenApiParameter.HEADER,
            response=list(statuses),
            description=text,
        )
        for name, text in described.items()
    ]


PAYMENT_HEADERS: Final = {
    "ETag": "The payment's version, for `If-Match` and `If-None-Match`.",
    "X_Event_Position": "The position of the payment's last event in the log.",
}
# Whatever an operation answers but 401: whose rate it would be is not known then.
_WITH_KEY: Final = {200, 201, 304} | {kind.status.value for kind in problems.KINDS.values()} - {401}
COMMON_HEADERS: Final = [
    *headers(429, 503, Retry_After="After how many seconds to try again."),
    *headers(401, WWW_Authenticate="How to authenticate."),
    *headers(
        *sorted(_WITH_KEY),
        RateLimit_Policy="The key's rate: `q` requests in `w` seconds.",
        RateLimit="How many requests are left (`r`), and in how many seconds there is one more (`t`).",
    ),
    *headers(401, *sorted(_WITH_KEY), X_Request_ID="The id of this request in logs and events."),
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
    pattern="^[!-~]{1,255}$",
    examples=[OpenApiExample("a UUID", "6c1f0f6e-3b0d-4a53-8d5e-2d8f4a7c9b10")],
)
_PAYMENT_ID: Final = OpenApiParameter(
    "payment_id",
    OpenApiTypes.UUID,
    OpenApiParameter.PATH,
    examples=[OpenApiExample("a payment", "72fe5f01-cc2e-5f54-be3b-02927c1e954b")],
)
_ONE_TAG: Final = r'^(\*|(W/)?"[!#-~]*")$'
_IF_MATCH: Final = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="The `ETag` of the payment that was looked at, so that nobody decides on something else; or"
    " `*` to decide whatever has happened since. It is looked at after repetitions are recognised.",
    pattern=_ONE_TAG,
    examples=[OpenApiExample("the second version", '"2"')],
)
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
            status: OpenApiResponse(PaymentView, description="The payment as the command left it."),
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


PENDING: Final = {
    "id": "72fe5f01-cc2e-5f54-be3b-02927c1e954b",
    "status": "pending_review",
    "amount": 1_500_000,
    "refunded_amount": 0,
    "currency": "USD",
    "method": "credit_card",
    "customer_id": "customer-123",
    "reference": "order-981",
    "failure_reason": None,
    "risk": {"score": 80, "band": "high", "reasons": ["first_card_payment_large"]},
    "review": None,
    "review_deadline": "2026-11-30T12:00:00.000000Z",
    "version": 2,
    "position": 4711,
    "created_at": "2026-11-23T12:00:00.000000Z",
    "updated_at": "2026-11-23T12:00:00.000000Z",
}


def _decided(decision: str, reason: str, **changes: Any) -> dict[str, Any]:
    at = "2026-11-23T12:30:00.000000Z"
    review = {"decision": decision, "reviewer": "staff:7", "reason": reason, "at": at}
    return PENDING | {"review": review, "position": 4713, "updated_at": at} | changes


def problem_example(name: str, code: str, detail: str, **members: Any) -> OpenApiExample:
    """An answer that says no, as `problems.response` would make it."""
    kind = problems.KINDS[code]
    body = {
        "type": f"{problems.PATH}/{code}",
        "title": kind.title,
        "status": kind.status.value,
        "code": code,
        "detail": detail,
        "instance": "/api/v1/payments",
        "request_id": "7b410556-ef60-40ba-81c7-9717d3e1b190",
        **members,
    }
    return OpenApiExample(
        name,
        body,
        response_only=True,
        media_type=problems.CONTENT_TYPE,
        status_codes=[str(kind.status.value)],
    )


def _body_example(name: str, body: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, body, request_only=True)


def answer_example(name: str, body: dict[str, Any], status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, body, response_only=True, status_codes=[str(status)])


SUBMIT: Final = _command(
    body=SubmitBody,
    status=201,
    summary="Submit a payment",
    description="Most payments are completed or failed at once; a large risky one waits for review.",
    refused=["reference_taken"],
    parameters=headers(201, Location="The payment's address."),
    examples=[
        _body_example(
            "a large first card payment",
            {
                "amount": 1_500_000,
                "currency": "USD",
                "method": "credit_card",
                "customer_id": "customer-123",
                "reference": "order-981",
            },
        ),
        answer_example("waits for review", PENDING, 201),
        problem_example(
            "an amount that is no integer",
            "invalid_request",
            "amount: Expected `int`, got `float`.",
            errors=[
                {"field": "amount", "code": "wrong_type", "detail": "Expected `int`, got `float`."}
            ],
        ),
        problem_example(
            "a reference that another payment has",
            "reference_taken",
            "Payment 72fe5f01-cc2e-5f54-be3b-02927c1e954b has the reference 'order-981'.",
            errors=[
                {
                    "field": "reference",
                    "code": "reference_taken",
                    "detail": "References are never used twice.",
                }
            ],
            payment_id="72fe5f01-cc2e-5f54-be3b-02927c1e954b",
        ),
    ],
    tags=["payments"],
    operation_id="submit_payment",
)
_DECISION: Final = (
    "payment_not_found",
    "not_under_review",
    "stale_version",
    "precondition_failed",
    "precondition_required",
)
_MOVED_ON: Final = problem_example(
    "somebody was faster",
    "precondition_failed",
    "The payment is completed at version 4 now, decided by staff:8. Read it again.",
    version="4",
    payment_status="completed",
    decided_by="staff:8",
)
APPROVE: Final = _command(
    body=ApproveBody,
    status=200,
    summary="Approve a payment that waits for review",
    refused=_DECISION,
    parameters=[_PAYMENT_ID, _IF_MATCH],
    examples=[
        _body_example(
            "called back", {"reason": "verified_with_customer", "note": "Called back, all fine."}
        ),
        answer_example(
            "completed",
            _decided("approved", "verified_with_customer", status="completed", version=4),
        ),
        _MOVED_ON,
    ],
    tags=["review"],
    operation_id="approve_payment",
)
REJECT: Final = _command(
    body=RejectBody,
    status=200,
    summary="Reject a payment that waits for review",
    refused=_DECISION,
    parameters=[_PAYMENT_ID, _IF_MATCH],
    examples=[
        _body_example("a stolen card", {"reason": "suspected_fraud"}),
        answer_example(
            "rejected", _decided("rejected", "suspected_fraud", status="rejected", version=3)
        ),
        _MOVED_ON,
    ],
    tags=["review"],
    operation_id="reject_payment",
)
_MAY_MATCH: Final = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` of the payment that was looked at, if the command is about that and no other.",
    pattern=_ONE_TAG,
    examples=[OpenApiExample("the second version", '"2"')],
)
CANCEL: Final = _command(
    body=CancelBody,
    status=200,
    summary="Call off a payment that is not completed yet",
    description="A completed one is refunded instead.",
    refused=[
        "payment_not_found",
        "payment_already_finished",
        "stale_version",
        "precondition_failed",
    ],
    parameters=[_PAYMENT_ID, _MAY_MATCH],
    examples=[
        _body_example("a change of mind", {"reason": "requested_by_customer"}),
        answer_example(
            "cancelled", PENDING | {"status": "cancelled", "version": 3, "position": 4712}
        ),
    ],
    tags=["payments"],
    operation_id="cancel_payment",
)
REFUND: Final = _command(
    body=RefundBody,
    status=200,
    summary="Give back some or all of a completed payment",
    description="Without an amount, all that is left. Refunds never add up to more than the payment.",
    refused=[
        "payment_not_found",
        "not_refundable",
        "refund_too_large",
        "refund_currency_differs",
        "stale_version",
        "precondition_failed",
    ],
    parameters=[_PAYMENT_ID, _MAY_MATCH],
    examples=[
        _body_example(
            "a third of it",
            {"reason": "requested_by_customer", "amount": 500_000, "currency": "USD"},
        ),
        answer_example(
            "some of it is back",
            _decided(
                "approved",
                "verified_with_customer",
                status="partially_refunded",
                refunded_amount=500_000,
                version=5,
            ),
        ),
        problem_example(
            "more than there is",
            "refund_too_large",
            "Of payment 72fe5f01-cc2e-5f54-be3b-02927c1e954b no more than USD 10000.00 is left to refund.",
            refundable="1000000",
            currency="USD",
        ),
    ],
    tags=["payments"],
    operation_id="refund_payment",
)
