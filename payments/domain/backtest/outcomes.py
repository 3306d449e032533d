"""What a risk policy, or the recorded history, decided on a payment."""

from enum import StrEnum

from payments.domain.payment.codes import FailureReason
from payments.domain.payment.state import Payment
from payments.domain.risk.assessment import Decision, RiskAssessment


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105
    REVIEW = "review"
    BLOCK = "block"


class LeftOut(StrEnum):
    """Why no policy decided on a payment, which is then not part of the comparison."""

    METHOD_LIMIT = "method_limit"  # it failed before its risk was assessed
    UNDECIDED = "undecided"  # it is not decided yet, or was cancelled before the decision


def outcome_of(decision: Decision | RiskAssessment) -> Outcome:
    if decision.block:
        return Outcome.BLOCK
    return Outcome.REVIEW if decision.review else Outcome.PASS


def recorded_outcome(payment: Payment) -> Outcome | LeftOut:
    """Return what the history records. A payment that was never scored, such as an import, passed."""
    if payment.failure is FailureReason.METHOD_LIMIT_EXCEEDED:
        return LeftOut.METHOD_LIMIT
    if payment.failure is not None:
        return Outcome.BLOCK
    if payment.flagged_at is not None:
        return Outcome.REVIEW
    return LeftOut.UNDECIDED if payment.processed_at is None else Outcome.PASS
