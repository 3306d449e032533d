"""The label of a payment: what is known, at the end of the range, about whether it was fraud.

The first row that applies gives the label.

| the payment | label |
|---|---|
| has a dispute lost or accepted as fraudulent or unrecognized | fraud |
| was refunded as fraudulent | fraud |
| was rejected for suspected fraud | fraud |
| failed because it exceeds the limit of its method | never_scored |
| was blocked by the policy | blocked |
| is undecided, expired, cancelled, or otherwise rejected | pending, expired, cancelled, rejected |
| has an open dispute | dispute_open |
| has a dispute lost or accepted for another reason, or prevented | disputed |
| was completed less than `mature` ago | not_mature |
| is none of these: disputes, if any, were won or withdrawn | good |

All labels except fraud and good are of the kind unknown. Fraud is final, unless a later notice
corrects the reason of a dispute.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from payments.domain.payment.codes import DisputeOutcome, FailureReason, RejectionReason
from payments.domain.payment.state import Payment, Status

# Few card disputes arrive later than 90 days after the payment.
MATURE: Final = timedelta(days=90)


class Kind(StrEnum):
    FRAUD = "fraud"
    GOOD = "good"
    UNKNOWN = "unknown"


class Label(StrEnum):
    """Fraud, good, or the reason why it is unknown."""

    FRAUD = "fraud"
    GOOD = "good"
    PENDING = "pending"
    NEVER_SCORED = "never_scored"
    BLOCKED = "blocked"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    DISPUTE_OPEN = "dispute_open"
    DISPUTED = "disputed"
    NOT_MATURE = "not_mature"

    @property
    def kind(self) -> Kind:
        return _KNOWN.get(self, Kind.UNKNOWN)


_KNOWN: Final = {Label.FRAUD: Kind.FRAUD, Label.GOOD: Kind.GOOD}
_REFUTED: Final = {DisputeOutcome.WON, DisputeOutcome.WITHDRAWN}
_NOT_COMPLETED: Final = {
    Status.INITIATED: Label.PENDING,
    Status.PENDING_REVIEW: Label.PENDING,
    Status.REJECTED: Label.REJECTED,
    Status.EXPIRED: Label.EXPIRED,
    Status.CANCELLED: Label.CANCELLED,
}


def label(payment: Payment, *, at: datetime, mature: timedelta = MATURE) -> Label:
    """Return the label of the payment in this state, at the time `at`."""
    if _is_fraud(payment):
        return Label.FRAUD
    if payment.failure is FailureReason.METHOD_LIMIT_EXCEEDED:
        return Label.NEVER_SCORED
    if payment.failure is not None:
        return Label.BLOCKED
    if payment.processed_at is None:
        return _NOT_COMPLETED[payment.status]
    if payment.disputes and (disputed := _disputed(payment)):
        return disputed
    if at - payment.processed_at < mature:
        return Label.NOT_MATURE
    return Label.GOOD


def _is_fraud(payment: Payment) -> bool:
    review = payment.review
    return payment.proved_fraudulent or (
        review is not None and review.reason == RejectionReason.SUSPECTED_FRAUD
    )


def _disputed(payment: Payment) -> Label | None:
    """Return the label for disputes without fraud, None if all were won or withdrawn."""
    if payment.open_disputes:
        return Label.DISPUTE_OPEN
    if all(each.outcome in _REFUTED for each in payment.disputes):
        return None
    return Label.DISPUTED
