"""The events of the example payment. Keyword arguments replace their fields."""

import json
from datetime import timedelta
from typing import Any

from payments.domain.methods import Method
from payments.domain.payment.claims import LEASE
from payments.domain.payment.codes import (
    ApprovalReason,
    CancellationReason,
    DisputeOutcome,
    EscalationReason,
    FailureReason,
    RefundReason,
    RejectionReason,
    SnoozeReason,
)
from payments.domain.payment.events import (
    AnyPaymentEvent,
    PaymentApproved,
    PaymentCancelled,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentDisputeResponded,
    PaymentDisputeUpdated,
    PaymentExpired,
    PaymentFailed,
    PaymentFirstApproved,
    PaymentFlaggedForReview,
    PaymentInitiated,
    PaymentNoteAdded,
    PaymentProcessed,
    PaymentRefunded,
    PaymentRejected,
    ReviewAssigned,
    ReviewClaimed,
    ReviewEscalated,
    ReviewReleased,
    ReviewResumed,
    ReviewSnoozed,
)
from payments.domain.payment.state import REVIEW_PERIOD
from payments.events import codec
from tests.support.examples import (
    CLIENT,
    CUSTOMER,
    DISPUTE,
    HUGE,
    LARGE,
    LARGE_FIRST,
    LATER,
    NOON,
    NOTE,
    OPENED,
    OTHER_REVIEWER,
    REFUND,
    REVIEWER,
    SENIOR,
    SMALL,
    STATED,
    TOMORROW,
    risk,
    usd,
)


def initiated(**changes: Any) -> PaymentInitiated:
    return PaymentInitiated(**_terms(changes))


def processed(**changes: Any) -> PaymentProcessed:
    return PaymentProcessed(**_terms({"risk": risk(), **changes}))


def failed(**changes: Any) -> PaymentFailed:
    limit_exceeded = {
        "reason": FailureReason.METHOD_LIMIT_EXCEEDED,
        "amount": usd(25_000_01),
        "limit": usd(25_000_00),
    }
    return PaymentFailed(**_terms({**limit_exceeded, **changes}))


def flagged(**changes: Any) -> PaymentFlaggedForReview:
    flag = {"risk": LARGE_FIRST, "at": NOON, "deadline": NOON + REVIEW_PERIOD}
    return PaymentFlaggedForReview(**_under_review({**flag, **changes}))


def claimed(**changes: Any) -> ReviewClaimed:
    lease = {"reviewer": REVIEWER, "until": LATER + LEASE}
    return ReviewClaimed(**_under_review({**lease, **changes}))


def released(**changes: Any) -> ReviewReleased:
    return ReviewReleased(**_under_review({"reviewer": REVIEWER, **changes}))


def snoozed(**changes: Any) -> ReviewSnoozed:
    wait = {"until": TOMORROW, "reason": SnoozeReason.WAITING_FOR_CUSTOMER}
    return ReviewSnoozed(**_under_review({"reviewer": REVIEWER, **wait, **changes}))


def resumed(**changes: Any) -> ReviewResumed:
    return ReviewResumed(**_under_review({"reviewer": REVIEWER, **changes}))


def assigned(**changes: Any) -> ReviewAssigned:
    """Return an event that assigns the claimed payment to another reviewer."""
    return ReviewAssigned(**_under_review({"to": OTHER_REVIEWER, "by": REVIEWER, **changes}))


def escalated(**changes: Any) -> ReviewEscalated:
    why = {"reason": EscalationReason.SUSPICIOUS_PATTERN, "note": NOTE}
    return ReviewEscalated(**_under_review({"reviewer": REVIEWER, **why, **changes}))


def first_approved(**changes: Any) -> PaymentFirstApproved:
    decision = {"reviewer": REVIEWER, "reason": ApprovalReason.VERIFIED_WITH_CUSTOMER}
    return PaymentFirstApproved(**_under_review({"amount": HUGE, **decision, **changes}))


def approved(**changes: Any) -> PaymentApproved:
    decision = {"reviewer": REVIEWER, "reason": ApprovalReason.VERIFIED_WITH_CUSTOMER}
    return PaymentApproved(**_under_review({**decision, **changes}))


def rejected(**changes: Any) -> PaymentRejected:
    decision = {"reviewer": REVIEWER, "reason": RejectionReason.SUSPECTED_FRAUD}
    return PaymentRejected(**_under_review({**decision, **changes}))


def expired(**changes: Any) -> PaymentExpired:
    deadline = NOON + REVIEW_PERIOD
    return PaymentExpired(**_under_review({"deadline": deadline, "at": deadline, **changes}))


def cancelled(**changes: Any) -> PaymentCancelled:
    reason = CancellationReason.REQUESTED_BY_CUSTOMER
    return PaymentCancelled(**_terms({"reason": reason, "at": LATER, **changes}))


def refunded(minor: int = 100_00, so_far: int | None = None, **changes: Any) -> PaymentRefunded:
    gone = {"refund": usd(minor), "refunded": usd(so_far or minor), "refund_id": REFUND}
    reason = RefundReason.REQUESTED_BY_CUSTOMER
    return PaymentRefunded(**_terms({**gone, "reason": reason, "at": LATER, **changes}))


def disputed(**changes: Any) -> PaymentDisputed:
    return PaymentDisputed(**_disputed({"opened_at": OPENED, **changes}))


def dispute_updated(**changes: Any) -> PaymentDisputeUpdated:
    at = {"updated_at": OPENED + timedelta(days=1)}
    return PaymentDisputeUpdated(**_disputed({**at, **changes}))


def dispute_responded(**changes: Any) -> PaymentDisputeResponded:
    response = {"by": SENIOR, "responded_at": OPENED + timedelta(days=2)}
    return PaymentDisputeResponded(**_of_dispute({**response, **changes}))


def dispute_closed(**changes: Any) -> PaymentDisputeClosed:
    end = {"outcome": DisputeOutcome.LOST, "lost": SMALL, "closed_at": OPENED + timedelta(days=4)}
    return PaymentDisputeClosed(**_of_dispute({**end, **changes}))


def note_added(**changes: Any) -> PaymentNoteAdded:
    return PaymentNoteAdded(**_terms({"author": REVIEWER, "note": NOTE, "at": LATER, **changes}))


def _disputed(changes: dict[str, Any]) -> dict[str, Any]:
    stated = {name: value for name, value in STATED.items() if name != "amount"}
    return _of_dispute({**stated, "disputed": SMALL, **changes})


def _of_dispute(changes: dict[str, Any]) -> dict[str, Any]:
    return _terms({"dispute_id": DISPUTE, "at": OPENED + timedelta(days=5), **changes})


def encoded(event: AnyPaymentEvent) -> str:
    """Return the event's data as the log stores it."""
    (row,) = json.loads(codec.encode_rows([{"data": event}]))
    return json.dumps(row["data"])


def processed_after_approval(**changes: Any) -> PaymentProcessed:
    return PaymentProcessed(**_under_review(changes))


def _terms(changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": NOON,
        "client_id": CLIENT,
        "customer_id": CUSTOMER,
        "amount": SMALL,
        "method": Method.CREDIT_CARD,
        "initiated_at": NOON,
        **changes,
    }


def _under_review(changes: dict[str, Any]) -> dict[str, Any]:
    return _terms({"amount": LARGE, "at": LATER, "flagged_at": NOON, **changes})
