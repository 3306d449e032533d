"""The commands in the OpenAPI document: parameters, bodies, answers and problems."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from payments.api.bodies import (
    ApproveBody,
    CancelBody,
    EscalateBody,
    RefundBody,
    RejectBody,
    SubmitBody,
)
from payments.api.http import preconditions, reading
from payments.api.openapi.components import (
    COMMON_HEADERS,
    PAYMENT_HEADERS,
    answer_example,
    body_example,
    headers,
    refusals,
)
from payments.api.openapi.problem_examples import PAYMENT_ID
from payments.api.representation import PaymentView, RefundedPayment

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
_IF_MATCH: Final = OpenApiParameter(
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
# The problems of a body, and the headers of their answers.
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


_OPEN_REVIEW: Final = {
    "claimed_by": None,
    "claimed_until": None,
    "escalated": False,
    "four_eyes": False,
    "first_approver": None,
    "reject_advised": False,
}
PENDING: Final = {
    "id": PAYMENT_ID,
    "status": "pending_review",
    "amount": 1_500_000,
    "refunded_amount": 0,
    "open_disputes": 0,
    "disputed_amount": 0,
    "lost_amount": 0,
    "currency": "USD",
    "method": "credit_card",
    "card": {"brand": "visa", "last4": "4242"},
    "customer_id": "customer-456",
    "reference": "order-1042",
    "failure_reason": None,
    "risk": {"score": 80, "band": "high", "reasons": ["first_card_payment_large"]},
    "open_review": _OPEN_REVIEW,
    "review": None,
    "review_deadline": "2026-11-30T12:00:00.000000Z",
    "disputes": [],
    "version": 2,
    "position": 4711,
    "created_at": "2026-11-23T12:00:00.000000Z",
    "updated_at": "2026-11-23T12:00:00.000000Z",
}


def decided(decision: str, reason: str, **changes: Any) -> dict[str, Any]:
    at = "2026-11-23T12:30:00.000000Z"
    review = {"decision": decision, "reviewer": "staff:7", "reason": reason, "at": at}
    finished = {"open_review": None, "review": review, "position": 4713, "updated_at": at}
    return PENDING | finished | changes


SUBMIT: Final = command(
    body=SubmitBody,
    status=201,
    summary="Submit a payment",
    description="Most payments are completed or failed at once. A large risky payment waits for review.",
    refused=["reference_taken"],
    parameters=headers(201, Location="The payment's address."),
    examples=[
        body_example(
            "a large first card payment",
            {
                "amount": 1_500_000,
                "currency": "USD",
                "method": "credit_card",
                "customer_id": "customer-456",
                "reference": "order-1042",
                "card": {"token": "tok_1PqZ8k", "brand": "visa", "last4": "4242"},
            },
        ),
        answer_example("waits for review", PENDING, 201),
    ],
    tags=["payments"],
    operation_id="submit_payment",
)
_REVIEW: Final = (
    "payment_not_found",
    "not_under_review",
    "review_claimed",
    "stale_version",
    "precondition_failed",
)
_DECISION: Final = (
    *_REVIEW,
    "review_assigned",
    "review_expired",
    "senior_reviewer_needed",
    "precondition_required",
)
APPROVE: Final = command(
    body=ApproveBody,
    status=200,
    summary="Approve a payment that waits for review",
    description="If two people have to approve, the payment waits for the second approval after the first.",
    refused=[*_DECISION, "another_person_needed", "note_needed"],
    parameters=[PAYMENT_PARAMETER, _IF_MATCH],
    examples=[
        body_example(
            "called back", {"reason": "verified_with_customer", "note": "Called back, all fine."}
        ),
        answer_example(
            "completed",
            decided("approved", "verified_with_customer", status="completed", version=4),
        ),
    ],
    tags=["review"],
    operation_id="approve_payment",
)
REJECT: Final = command(
    body=RejectBody,
    status=200,
    summary="Reject a payment that waits for review",
    description="One rejection is enough, even if two people have to approve. The payment is then final.",
    refused=_DECISION,
    parameters=[PAYMENT_PARAMETER, _IF_MATCH],
    examples=[
        body_example("a stolen card", {"reason": "suspected_fraud"}),
        answer_example(
            "rejected", decided("rejected", "suspected_fraud", status="rejected", version=3)
        ),
    ],
    tags=["review"],
    operation_id="reject_payment",
)


def _claimed(**changes: Any) -> dict[str, Any]:
    until = {"claimed_by": "staff:7", "claimed_until": "2026-11-23T12:45:00.000000Z"}
    review = {**_OPEN_REVIEW, **until, **changes}
    at = "2026-11-23T12:30:00.000000Z"
    return PENDING | {"open_review": review, "version": 3, "position": 4712, "updated_at": at}


CLAIM_NEXT: Final = command(
    body=None,
    status=200,
    summary="Claim the most urgent payment that you may review",
    description="The order is: payments assigned to you, then those that return from your own snoozes, then"
    " all others, each by their deadlines. Payments that wait or are assigned to others are skipped. An"
    " assignment ends its effect after half of the time to decide.\n\n"
    "Only the reviewer can decide on the payment for 15 minutes. The same `Idempotency-Key` returns the"
    " same payment again. A new key claims another payment, even if the reviewer already holds one.",
    refused=["queue_behind"],
    nothing="No payment can be claimed at the moment. Try again: payments that are just being changed or"
    " claimed are skipped.",
    examples=[answer_example("claimed", _claimed())],
    tags=["review"],
    operation_id="claim_next_review",
)
CLAIM: Final = command(
    body=None,
    status=200,
    summary="Claim a payment that waits for review",
    description="Only the reviewer can decide on it for 15 minutes. Claim it again to extend the claim.",
    refused=[
        *_REVIEW,
        "review_assigned",
        "review_expired",
        "senior_reviewer_needed",
        "another_person_needed",
    ],
    parameters=[PAYMENT_PARAMETER, MAY_MATCH],
    examples=[answer_example("claimed", _claimed())],
    tags=["review"],
    operation_id="claim_review",
)
RELEASE: Final = command(
    body=None,
    status=200,
    summary="Release a claimed payment",
    description="Senior reviewers can also release the claims of others.",
    refused=[*_REVIEW, "review_not_claimed"],
    parameters=[PAYMENT_PARAMETER, MAY_MATCH],
    examples=[answer_example("released", _claimed(claimed_by=None, claimed_until=None))],
    tags=["review"],
    operation_id="release_review",
)
ESCALATE: Final = command(
    body=EscalateBody,
    status=200,
    summary="Escalate a payment to senior reviewers",
    description="Afterwards only a senior reviewer can decide. A claim on the payment ends.",
    refused=[
        *_REVIEW,
        "review_assigned",
        "review_expired",
        "review_escalated",
        "senior_reviewer_needed",
    ],
    parameters=[PAYMENT_PARAMETER, MAY_MATCH],
    examples=[
        body_example(
            "a pattern",
            {"reason": "suspicious_pattern", "note": "The third new card at this address today."},
        ),
        answer_example("escalated", _claimed(claimed_by=None, claimed_until=None, escalated=True)),
    ],
    tags=["review"],
    operation_id="escalate_review",
)
CANCEL: Final = command(
    body=CancelBody,
    status=200,
    summary="Cancel a payment that is not completed",
    description="A completed payment can be refunded instead.",
    refused=[
        "payment_not_found",
        "payment_already_finished",
        "stale_version",
        "precondition_failed",
    ],
    parameters=[PAYMENT_PARAMETER, MAY_MATCH],
    examples=[
        body_example("a change of mind", {"reason": "requested_by_customer"}),
        answer_example(
            "cancelled",
            PENDING | {"status": "cancelled", "open_review": None, "version": 3, "position": 4712},
        ),
    ],
    tags=["payments"],
    operation_id="cancel_payment",
)
REFUNDED: Final = {
    "id": "c1b2f0a4-5d0e-5c6b-9a55-0f6e2c1d7b10",
    "amount": 500_000,
    "currency": "USD",
    "reason": "requested_by_customer",
    "reference": "return-77",
    "position": 4720,
    "created_at": "2026-11-24T09:00:00.000000Z",
}
REFUND: Final = command(
    body=RefundBody,
    answer=RefundedPayment,
    status=200,
    summary="Refund some or all of a completed payment",
    description="Without an amount, the remaining amount is refunded. Refunds never exceed the payment."
    " The answer is the payment with the refund, which has an `id`.",
    refused=[
        "payment_not_found",
        "reference_taken",
        "not_refundable",
        "refund_too_large",
        "refund_currency_differs",
        "stale_version",
        "precondition_failed",
    ],
    parameters=[PAYMENT_PARAMETER, MAY_MATCH],
    examples=[
        body_example(
            "a third of it",
            {
                "reason": "requested_by_customer",
                "amount": 500_000,
                "currency": "USD",
                "reference": "return-77",
            },
        ),
        answer_example(
            "partially refunded",
            decided(
                "approved",
                "verified_with_customer",
                status="partially_refunded",
                refunded_amount=500_000,
                version=5,
                position=4720,
                updated_at="2026-11-24T09:00:00.000000Z",
                refund=REFUNDED,
            ),
        ),
    ],
    tags=["payments"],
    operation_id="refund_payment",
)
