"""The commands of the example payment. Keyword arguments replace their fields."""

from datetime import timedelta
from typing import Any

from payments.domain.methods import Method
from payments.domain.payment.codes import (
    ApprovalReason,
    CancellationReason,
    DisputeOutcome,
    EscalationReason,
    RefundReason,
    RejectionReason,
    SnoozeReason,
)
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
from payments.domain.payment.state import REVIEW_PERIOD
from tests.support.examples import (
    CLIENT,
    CUSTOMER,
    DISPUTE,
    KNOWN,
    LATER,
    NOON,
    NOTE,
    OPENED,
    OTHER_REVIEWER,
    PAYMENT,
    REFUND,
    REVIEWER,
    SENIOR,
    SMALL,
    STATED,
    TOMORROW,
)


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
    """Return the notice of a chargeback for the payment's whole amount."""
    return OpenDispute(**_dispute_command({"opened_at": OPENED, **STATED, **changes}))


def update_dispute(**changes: Any) -> UpdateDispute:
    """Return a notice a day after the opening."""
    at = {"updated_at": OPENED + timedelta(days=1)}
    return UpdateDispute(**_dispute_command({**at, **STATED, **changes}))


def respond_to_dispute(**changes: Any) -> RespondToDispute:
    response = {"responder": SENIOR, "responded_at": OPENED + timedelta(days=2)}
    return RespondToDispute(**_dispute_command({**response, **changes}))


def close_dispute(**changes: Any) -> CloseDispute:
    """Return the notice that the dispute was lost, four days after the opening."""
    end = {"outcome": DisputeOutcome.LOST, "lost_amount": SMALL}
    at = {"closed_at": OPENED + timedelta(days=4)}
    return CloseDispute(**_dispute_command({**end, **at, **changes}))


def _dispute_command(changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "payment_id": PAYMENT,
        "client_id": CLIENT,
        "dispute_id": DISPUTE,
        "at": OPENED + timedelta(days=5),
        **changes,
    }
