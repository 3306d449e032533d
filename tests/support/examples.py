"""The example payment of most tests: USD 100.00 by credit card, with its commands and events.

Each function builds one command or event. Keyword arguments replace its fields.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.claims import LEASE
from payments.domain.payment.commands import (
    AddNote,
    ApprovePayment,
    AssignReview,
    CancelPayment,
    ClaimReview,
    CloseDispute,
    EscalateReview,
    ExpireReview,
    OpenDispute,
    ProcessPayment,
    RefundPayment,
    RejectPayment,
    ReleaseReview,
    RespondToDispute,
    ResumeReview,
    SnoozeReview,
    TakeOverReview,
    UpdateDispute,
)
from payments.domain.payment.events import (
    AnyPaymentEvent,
    ApprovalReason,
    CancellationReason,
    DisputeKind,
    DisputeOutcome,
    DisputeReason,
    EscalationReason,
    FailureReason,
    NoteRef,
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
    RefundReason,
    RejectionReason,
    ReviewAssigned,
    ReviewClaimed,
    ReviewEscalated,
    ReviewReleased,
    ReviewResumed,
    ReviewSnoozed,
    SnoozeReason,
)
from payments.domain.payment.state import REVIEW_PERIOD
from payments.domain.risk.assessment import RiskAssessment, assess
from payments.domain.risk.conditions import RiskFeatures
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.events import codec

NOON: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
LATER: Final = NOON + timedelta(hours=3)
TOMORROW: Final = LATER + timedelta(days=1)

PAYMENT: Final = UUID("0192f000-0000-5000-8000-00000000a001")
CLIENT: Final = UUID("0192f000-0000-4000-8000-00000000c001")
OTHER_CLIENT: Final = UUID("0192f000-0000-4000-8000-00000000c002")
CUSTOMER: Final = UUID("0192f000-0000-8000-8000-00000000d001")
NOTE: Final = NoteRef(UUID("0192f000-0000-4000-8000-00000000e001"), "5e" * 32)

REFUND: Final = UUID("0192f000-0000-4000-8000-00000000f001")

DISPUTE: Final = "dp_1042"
OPENED: Final = LATER + timedelta(days=30)
RESPOND_BY: Final = OPENED + timedelta(days=14)

REVIEWER: Final = "staff:7"
OTHER_REVIEWER: Final = "staff:8"
SENIOR: Final = "staff:9"
OPERATOR: Final = "system:manage.py:root"

KNOWN: Final = RiskFeatures(paid_by_card_before=True, position=40, age_ms=0)
UNKNOWN: Final = RiskFeatures(paid_by_card_before=False, position=40, age_ms=0)
STALE: Final = RiskFeatures(paid_by_card_before=True, position=40, age_ms=5_001)


def usd(minor: int) -> Money:
    return Money(minor, "USD")


SMALL: Final = usd(100_00)
# Over the review limit, under the limit of cards: a first card payment is flagged.
LARGE: Final = usd(15_000_00)
# Two people must approve it.
HUGE: Final = usd(22_000_00)


def risk(amount: Money = SMALL, features: RiskFeatures = KNOWN) -> RiskAssessment:
    return assess(DEFAULT_POLICY, features, amount=amount, method=Method.CREDIT_CARD)


LARGE_FIRST: Final = risk(LARGE, UNKNOWN)
HUGE_FIRST: Final = risk(HUGE, UNKNOWN)


def process(**changes: Any) -> ProcessPayment:
    return ProcessPayment(
        **{
            "payment_id": PAYMENT,
            "client_id": CLIENT,
            "customer_id": CUSTOMER,
            "amount": SMALL,
            "method": Method.CREDIT_CARD,
            "features": KNOWN,
            "at": NOON,
            **changes,
        }
    )


def approve(**changes: Any) -> ApprovePayment:
    reason = {"reason": ApprovalReason.VERIFIED_WITH_CUSTOMER}
    return ApprovePayment(**_review_command({**reason, **changes}))


def reject(**changes: Any) -> RejectPayment:
    reason = {"reason": RejectionReason.SUSPECTED_FRAUD}
    return RejectPayment(**_review_command({**reason, **changes}))


def claim(**changes: Any) -> ClaimReview:
    return ClaimReview(**_review_command(changes))


def release(**changes: Any) -> ReleaseReview:
    return ReleaseReview(**_review_command(changes))


def take_over(**changes: Any) -> TakeOverReview:
    return TakeOverReview(**_review_command({"holder": REVIEWER, **changes}))


def snooze(**changes: Any) -> SnoozeReview:
    wait = {"until": TOMORROW, "reason": SnoozeReason.WAITING_FOR_CUSTOMER}
    return SnoozeReview(**_review_command({**wait, **changes}))


def resume(**changes: Any) -> ResumeReview:
    return ResumeReview(**_review_command(changes))


def assign(**changes: Any) -> AssignReview:
    """Return a command that assigns the payment to another reviewer."""
    return AssignReview(**_review_command({"to": OTHER_REVIEWER, "to_reviews": True, **changes}))


def escalate(**changes: Any) -> EscalateReview:
    escalation = {"reason": EscalationReason.SUSPICIOUS_PATTERN, "note": NOTE}
    return EscalateReview(**_review_command({**escalation, **changes}))


def _review_command(changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "payment_id": PAYMENT,
        "client_id": None,
        "reviewer": REVIEWER,
        "at": LATER,
        **changes,
    }


def expire(**changes: Any) -> ExpireReview:
    return ExpireReview(
        **{"payment_id": PAYMENT, "client_id": None, "at": NOON + REVIEW_PERIOD, **changes}
    )


def cancel(**changes: Any) -> CancelPayment:
    reason = CancellationReason.REQUESTED_BY_CUSTOMER
    return CancelPayment(
        **{"payment_id": PAYMENT, "client_id": CLIENT, "reason": reason, "at": LATER, **changes}
    )


def refund(**changes: Any) -> RefundPayment:
    """Return a command that refunds the remaining amount."""
    return RefundPayment(
        **{
            "payment_id": PAYMENT,
            "client_id": CLIENT,
            "refund_id": REFUND,
            "amount": None,
            "reason": RefundReason.REQUESTED_BY_CUSTOMER,
            "at": LATER,
            **changes,
        }
    )


def add_note(**changes: Any) -> AddNote:
    given = {"payment_id": PAYMENT, "client_id": None, "author": REVIEWER, "note": NOTE}
    return AddNote(**{**given, "at": LATER, **changes})


def open_dispute(**changes: Any) -> OpenDispute:
    """Return the notice of a chargeback over all of the payment."""
    return OpenDispute(**_dispute_command({"opened_at": OPENED, **_STATED, **changes}))


def update_dispute(**changes: Any) -> UpdateDispute:
    """Return a notice a day after the opening."""
    at = {"updated_at": OPENED + timedelta(days=1)}
    return UpdateDispute(**_dispute_command({**at, **_STATED, **changes}))


def respond_to_dispute(**changes: Any) -> RespondToDispute:
    response = {"responder": SENIOR, "responded_at": OPENED + timedelta(days=2)}
    return RespondToDispute(**_dispute_command({**response, **changes}))


def close_dispute(**changes: Any) -> CloseDispute:
    """Return the notice that the dispute was lost, four days after the opening."""
    end = {"outcome": DisputeOutcome.LOST, "lost_amount": SMALL}
    at = {"closed_at": OPENED + timedelta(days=4)}
    return CloseDispute(**_dispute_command({**end, **at, **changes}))


_STATED: Final[dict[str, Any]] = {
    "kind": DisputeKind.CHARGEBACK,
    "reason": DisputeReason.FRAUDULENT,
    "amount": SMALL,
    "network": "visa",
    "network_reason_code": "10.4",
    "respond_by": RESPOND_BY,
}


def _dispute_command(changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "payment_id": PAYMENT,
        "client_id": CLIENT,
        "dispute_id": DISPUTE,
        "at": OPENED + timedelta(days=5),
        **changes,
    }


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
    """Return an assignment of the claimed payment to another reviewer."""
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
    stated = {name: value for name, value in _STATED.items() if name != "amount"}
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
