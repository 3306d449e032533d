"""Describe the clients' commands on payments for the OpenAPI document, with an example payment."""

from typing import Any, Final

from payments.api.bodies import CancelBody, RefundBody, SubmitBody
from payments.api.openapi.commands import MAY_MATCH, PAYMENT_PARAMETER, command
from payments.api.openapi.components import answer_example, body_example, headers
from payments.api.openapi.problem_examples import PAYMENT_ID
from payments.api.representation import RefundedPayment

OPEN_REVIEW: Final = {
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
    "open_review": OPEN_REVIEW,
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
