"""An example of each problem code for the OpenAPI document."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from payments.api.problems.problem import FieldError, Problem, problem_details

PAYMENT_ID: Final = "72fe5f01-cc2e-5f54-be3b-02927c1e954b"
WEBHOOK_ENDPOINT_ID: Final = "0d6f3a52-8c1e-4b7f-9a33-5e21c4d7b890"
POLICY_ID: Final = "94d4d6ad220d1b6f" + "9f86d081884c7d65" + "9a2feaa0c55ad015" + "a3bf4f1b2b0b822c"
BACKTEST_ID: Final = "3f2a91bc-7c52-4c0e-9d0e-52a3c8f6f1d4"
_PAYMENT: Final = f"Payment {PAYMENT_ID}"
_DISPUTE: Final = "dp_1042"
_DEADLINE: Final = "2026-11-30T12:00:00.000000Z"


def example(code: str) -> dict[str, Any]:
    """Return the example for a code as JSON. Raises KeyError."""
    details = problem_details(
        _EXAMPLES[code],
        instance=f"/api/v1/payments/{PAYMENT_ID}",
        request_id="7b410556-ef60-40ba-81c7-9717d3e1b190",
    )
    found: dict[str, Any] = msgspec.to_builtins(details)
    return found


def _of_field(code: str, field: str, field_code: str, detail: str) -> Problem:
    return Problem(code, detail, errors=[FieldError(field, field_code, detail)])


_EXAMPLES: Final[Mapping[str, Problem]] = {
    problem.code: problem
    for problem in (
        Problem("invalid_json", "The body is empty."),
        Problem.of_field("amount", "wrong_type", "Expected `int`, got `float`."),
        Problem(
            "filter_too_broad",
            "The query took longer than 3 seconds. Use a narrower filter, such as a date range.",
        ),
        Problem(
            "idempotency_key_missing",
            "Send the header Idempotency-Key with a new random value for each command."
            " Send the same value when you try again.",
        ),
        _of_field(
            "idempotency_key_invalid",
            "Idempotency-Key",
            "wrong_format",
            'Use 1 to 255 visible ASCII characters without " , ; and \\, with or without quotes.',
        ),
        Problem(
            "idempotency_key_reused",
            "This Idempotency-Key was used for a request with another reason.",
            errors=[FieldError("reason", "differs", "It differs from the first request.")],
        ),
        Problem(
            "body_too_slow",
            "The body did not arrive in time. Try again with the same Idempotency-Key.",
        ),
        Problem("body_too_large", "A body has at most 65536 bytes."),
        Problem(
            "unsupported_media_type", "Send the header Content-Type: application/json, in UTF-8."
        ),
        Problem("method_not_allowed", "This address supports GET, HEAD, POST."),
        Problem("not_acceptable", "Could not satisfy the request Accept header."),
        Problem("not_authenticated", "The API key is unknown, expired or revoked."),
        Problem("permission_denied", "This operation needs a key with the scope payments:write."),
        Problem("throttled", "This key has exceeded its rate limit. Try again in 1 s."),
        Problem("not_found", "There is nothing at this address."),
        Problem("payment_not_found", f"There is no payment {PAYMENT_ID}."),
        Problem(
            "reference_taken",
            f"{_PAYMENT} has the reference 'order-1042'.",
            errors=[
                FieldError("reference", "reference_taken", "A reference can be used only once.")
            ],
            members={"payment_id": PAYMENT_ID},
        ),
        Problem(
            "payment_already_finished",
            f"{_PAYMENT} is already completed. Refund it instead.",
            members={"payment_status": "completed"},
        ),
        Problem(
            "payment_under_review",
            f"{_PAYMENT} waits for review.",
            members={"payment_status": "pending_review"},
        ),
        Problem("payment_differs", f"{_PAYMENT} was initiated with other terms."),
        Problem(
            "not_under_review",
            f"{_PAYMENT} was approved by staff:8 at 2026-11-23 12:30:00 UTC.",
            members={
                "payment_status": "completed",
                "decision": "approved",
                "decided_by": "staff:8",
            },
        ),
        Problem(
            "review_expired",
            f"{_PAYMENT} had to be decided before 2026-11-30 12:00:00 UTC.",
            members={"deadline": _DEADLINE},
        ),
        Problem(
            "review_not_due",
            f"{_PAYMENT} can be decided until 2026-11-30 12:00:00 UTC.",
            members={"deadline": _DEADLINE},
        ),
        Problem(
            "review_claimed",
            f"staff:8 has claimed payment {PAYMENT_ID} until 2026-11-23 12:45:00 UTC.",
            members={"claimed_by": "staff:8", "claimed_until": "2026-11-23T12:45:00.000000Z"},
        ),
        Problem("review_not_claimed", f"Nobody has claimed payment {PAYMENT_ID}."),
        Problem("review_escalated", f"{_PAYMENT} is already escalated to the senior reviewers."),
        Problem(
            "review_assigned",
            f"{_PAYMENT} is assigned to staff:8 until 2026-11-26 12:00:00 UTC.",
            members={"assigned_to": "staff:8", "assigned_until": "2026-11-26T12:00:00.000000Z"},
        ),
        Problem("review_not_assigned", f"{_PAYMENT} is not assigned."),
        Problem(
            "assignment_needs_senior",
            f"Only a senior reviewer can assign payment {PAYMENT_ID}. Others hand over what they have"
            " claimed or are assigned.",
        ),
        Problem(
            "assignee_not_reviewer",
            f"staff:8 is not a reviewer, so payment {PAYMENT_ID} cannot be assigned to them.",
        ),
        Problem(
            "review_snoozed",
            f"staff:8 has snoozed payment {PAYMENT_ID} until 2026-11-26 12:00:00 UTC.",
        ),
        Problem("review_not_snoozed", f"{_PAYMENT} is not snoozed."),
        Problem(
            "snooze_time_invalid",
            f"A snooze must end after 2026-11-23 12:00:00 UTC and before the deadline of payment"
            f" {PAYMENT_ID}, 2026-11-30 12:00:00 UTC, not at 2026-12-01 12:00:00 UTC.",
        ),
        Problem(
            "senior_reviewer_needed",
            f"{_PAYMENT} was escalated. A senior reviewer must decide.",
        ),
        Problem(
            "another_person_needed",
            f"staff:7 gave the first approval of payment {PAYMENT_ID}. Another person must give the second.",
        ),
        _of_field(
            "note_needed",
            "note",
            "missing",
            f"The risk policy advises to reject payment {PAYMENT_ID}. Explain in a note why you approve it.",
        ),
        Problem(
            "not_refundable",
            f"{_PAYMENT} is pending_review and cannot be refunded.",
            members={"payment_status": "pending_review"},
        ),
        Problem(
            "refund_too_large",
            f"At most USD 10,000.00 of payment {PAYMENT_ID} can be refunded, not USD 15,000.00.",
            members={"refundable": 1_000_000, "currency": "USD"},
        ),
        Problem(
            "refund_currency_differs",
            f"{_PAYMENT} can only be refunded in USD.",
            members={"currency": "USD"},
        ),
        Problem(
            "dispute_open",
            f"Dispute {_DISPUTE} of payment {PAYMENT_ID} is open. Close it before a refund.",
            members={"dispute_id": _DISPUTE},
        ),
        Problem(
            "not_disputable",
            f"{_PAYMENT} is pending_review and cannot be disputed.",
            members={"payment_status": "pending_review"},
        ),
        Problem("dispute_not_found", f"{_PAYMENT} has no dispute {_DISPUTE}."),
        Problem(
            "dispute_closed",
            f"Dispute {_DISPUTE} of payment {PAYMENT_ID} was closed as lost at 2026-11-30 12:00:00 UTC.",
            members={"outcome": "lost", "closed_at": _DEADLINE},
        ),
        _of_field(
            "dispute_contradicted",
            "amount",
            "differs",
            f"An earlier notice of dispute {_DISPUTE} at the same time has another amount.",
        ),
        Problem("too_many_disputes", f"{_PAYMENT} has 100 disputes, which is the most."),
        Problem(
            "too_many_responses",
            f"Dispute {_DISPUTE} of payment {PAYMENT_ID} has 20 responses, which is the most.",
        ),
        Problem(
            "dispute_too_large",
            f"At most USD 10,000.00 of payment {PAYMENT_ID} can be disputed, not USD 15,000.00.",
            members={"disputable": 1_000_000, "currency": "USD"},
        ),
        Problem(
            "dispute_currency_differs",
            f"{_PAYMENT} can only be disputed in USD.",
            members={"currency": "USD"},
        ),
        Problem("dispute_loss_invalid", "A dispute that was won does not take USD 100.00."),
        Problem(
            "stale_version", "Other commands changed the payment first. Read it again, then decide."
        ),
        Problem(
            "precondition_failed",
            "The payment is now completed at version 4, decided by staff:8. Read it again.",
            members={"version": 4, "payment_status": "completed", "decided_by": "staff:8"},
        ),
        Problem(
            "precondition_required",
            "Send the header If-Match with the ETag of the payment that the reviewer looked at, or with * to"
            " decide on any version.",
        ),
        Problem(
            "webhook_endpoint_not_found", f"There is no webhook endpoint {WEBHOOK_ENDPOINT_ID}."
        ),
        Problem("unknown_policy", f"The log holds no risk policy {POLICY_ID}."),
        Problem("backtest_not_found", f"There is no backtest {BACKTEST_ID}."),
        Problem("backtest_ended", f"The backtest {BACKTEST_ID} is done."),
        Problem(
            "too_many_backtests",
            "10 backtests are not finished. Wait for one, or cancel one.",
            retry_after=60,
        ),
        Problem("too_many_endpoints", "A client can have 10 endpoints. Delete one first."),
        Problem(
            "webhook_url_taken",
            f"The endpoint {WEBHOOK_ENDPOINT_ID} has this URL.",
            members={"webhook_endpoint_id": WEBHOOK_ENDPOINT_ID},
        ),
        Problem("webhooks_not_configured", "This service sends no webhooks. Ask the operator."),
        Problem("internal_error", "The failure was recorded under the request id."),
        Problem(
            "queue_behind",
            "Other reviewers have just claimed all payments in the queue. Try again in a moment.",
        ),
        Problem("projection_behind", "payment_summary has not reached position 4711 of the log."),
        Problem(
            "projection_parked",
            "payment_summary could not apply an event up to 4711, which has to be repaired. Omit"
            " X-Min-Position to read without the event.",
        ),
        Problem(
            "log_contradicted",
            "An operator has to repair the event log. Try again later with the same Idempotency-Key.",
        ),
        Problem(
            "temporarily_unavailable",
            "The database cannot be reached. Try again with the same Idempotency-Key.",
        ),
    )
}
