"""The risk policy: an immutable document of rules."""

from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from payments.domain.money import Money
from payments.domain.risk.conditions import (
    AmountOver,
    AnyCondition,
    CustomerBlocked,
    FeaturesOlderThan,
    FirstCardPayment,
    Limits,
    PaymentsOver,
    VolumeOver,
    Window,
)

# The one reason that no rule may have: see PolicyDocument.review_over.
NO_LIMIT: Final = "no_limit_for_currency"


class Band(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Verdict(StrEnum):
    """What a rule alone can decide."""

    REVIEW = "review"
    BLOCK = "block"


class PolicyStatus(StrEnum):
    """Where a policy stands in the register."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    RETIRED = "retired"


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Gives `points` for `reason` when all conditions hold; `then` decides whatever the score is."""

    reason: str
    points: int
    when: tuple[AnyCondition, ...]
    then: Verdict | None = None


class PolicyDocument(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Rules, each band's lowest score, the amounts that are reviewed and blocked, and how they are reviewed.

    Over `review_over` a high risk waits for a person, and so does whatever is in a currency that it
    does not name. Over `block_over` a high risk fails; a currency that it does not name has no such
    limit. Over `four_eyes_over` two people have to approve, and so they have whatever is in a currency
    that it does not name; if it names none at all, one person is always enough.

    From the score `reject_from` on reviewers are advised to reject. Nobody has longer than
    `review_hours` to decide.
    """

    rules: tuple[Rule, ...]
    medium_from: int
    high_from: int
    review_over: Limits
    block_over: Limits = {}
    four_eyes_over: Limits = {}
    reject_from: int | None = None
    review_hours: int = 7 * 24

    @property
    def review_period(self) -> timedelta:
        return timedelta(hours=self.review_hours)

    def band(self, score: int) -> Band:
        if score >= self.high_from:
            return Band.HIGH
        return Band.MEDIUM if score >= self.medium_from else Band.LOW

    def needs_four_eyes(self, amount: Money) -> bool:
        """Whether two people have to approve the amount if it waits for review."""
        limit = self.four_eyes_over.get(amount.currency)
        return bool(self.four_eyes_over) and (limit is None or amount.minor > limit)


class RiskPolicy(Struct, frozen=True):
    """A document and its content hash.

    Build it with `of`: two policies with one id are the same policy.
    """

    policy_id: str
    document: PolicyDocument

    @classmethod
    def of(cls, document: PolicyDocument) -> "RiskPolicy":
        return cls(
            sha256(msgspec.json.encode(document, order="deterministic")).hexdigest(), document
        )


_OVER_10_000: Final[Limits] = {
    "USD": 10_000_00,
    "EUR": 10_000_00,
    "GBP": 8_000_00,
    "JPY": 1_500_000,
}
_OVER_20_000: Final[Limits] = {
    "USD": 20_000_00,
    "EUR": 20_000_00,
    "GBP": 16_000_00,
    "JPY": 3_000_000,
}
_OVER_1_000: Final[Limits] = {"USD": 1_000_00, "EUR": 1_000_00, "GBP": 800_00, "JPY": 150_000}
_OVER_50_000: Final[Limits] = {
    "USD": 50_000_00,
    "EUR": 50_000_00,
    "GBP": 40_000_00,
    "JPY": 7_500_000,
}

DEFAULT_POLICY: Final = RiskPolicy.of(
    PolicyDocument(
        rules=(
            Rule(
                reason="customer_blocked", points=100, when=(CustomerBlocked(),), then=Verdict.BLOCK
            ),
            Rule(
                reason="first_card_payment_large",
                points=80,
                when=(FirstCardPayment(), AmountOver(_OVER_10_000)),
            ),
            # Each alone is a medium risk, both together are a high one.
            Rule(reason="many_payments_1h", points=40, when=(PaymentsOver(Window.HOUR, count=20),)),
            Rule(
                reason="large_volume_24h", points=40, when=(VolumeOver(Window.DAY, _OVER_50_000),)
            ),
            # While the read side lags, the other rules look at an old picture: only small amounts
            # pass.
            Rule(
                reason="features_stale",
                points=0,
                when=(FeaturesOlderThan(5_000), AmountOver(_OVER_1_000)),
                then=Verdict.REVIEW,
            ),
        ),
        medium_from=40,
        high_from=70,
        review_over=_OVER_10_000,
        four_eyes_over=_OVER_20_000,
        reject_from=100,
    )
)
