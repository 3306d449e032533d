"""The events of a second review of the example payment."""

from typing import Final

from payments.domain.second_review import (
    SecondReviewConcluded,
    SecondReviewRequested,
    Severity,
    Verdict,
)
from tests.support.examples import LATER, NOON, NOTE, PAYMENT, REVIEWER, SENIOR, usd

APPROVED: Final = Verdict(by=REVIEWER, approved=True, reason="verified_with_customer")
REQUESTED: Final = SecondReviewRequested(
    at=NOON,
    payment_id=PAYMENT,
    amount=usd(15_000_00),
    evidence_version=2,
    decisions=(APPROVED,),
    decided_at=NOON,
)
CONCLUDED: Final = SecondReviewConcluded(
    at=LATER,
    payment_id=PAYMENT,
    verdict=Verdict(by=SENIOR, approved=False, reason="suspected_fraud"),
    agrees=False,
    severity=Severity.MAJOR,
    note=NOTE,
)
