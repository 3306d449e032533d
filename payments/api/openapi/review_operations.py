"""Describe the reviewers' commands for the OpenAPI document."""

from typing import Any, Final

from payments.api.bodies import ApproveBody, EscalateBody, RejectBody
from payments.api.openapi.commands import MAY_MATCH, MUST_MATCH, PAYMENT_PARAMETER, command
from payments.api.openapi.components import answer_example, body_example
from payments.api.openapi.operations import OPEN_REVIEW, PENDING, decided

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
    parameters=[PAYMENT_PARAMETER, MUST_MATCH],
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
    parameters=[PAYMENT_PARAMETER, MUST_MATCH],
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
    review = {**OPEN_REVIEW, **until, **changes}
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
