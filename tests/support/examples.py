"""The example payment of most tests: USD 100.00 by credit card, and the values around it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.codes import (
    DisputeKind,
    DisputeReason,
)
from payments.domain.payment.events import (
    NoteRef,
)
from payments.domain.risk.assessment import RiskAssessment, assess
from payments.domain.risk.conditions import RiskFeatures
from payments.domain.risk.policy import DEFAULT_POLICY

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
# Above the review limit and below the card limit, so a first card payment is flagged.
LARGE: Final = usd(15_000_00)
# Two people must approve it.
HUGE: Final = usd(22_000_00)


def risk(amount: Money = SMALL, features: RiskFeatures = KNOWN) -> RiskAssessment:
    return assess(DEFAULT_POLICY, features, amount=amount, method=Method.CREDIT_CARD)


LARGE_FIRST: Final = risk(LARGE, UNKNOWN)
HUGE_FIRST: Final = risk(HUGE, UNKNOWN)

STATED: Final[dict[str, Any]] = {
    "kind": DisputeKind.CHARGEBACK,
    "reason": DisputeReason.FRAUDULENT,
    "amount": SMALL,
    "network": "visa",
    "network_reason_code": "10.4",
    "respond_by": RESPOND_BY,
}
