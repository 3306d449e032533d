"""The risk policy: an immutable document of rules."""

from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from payments.domain.list_items import ListName
from payments.domain.risk.conditions import (
    AmountOver,
    AnyCondition,
    CustomerBlocked,
    FeaturesOlderThan,
    FirstCardPayment,
    InList,
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
    """A decision that a rule makes regardless of the score."""

    REVIEW = "review"
    BLOCK = "block"


class PolicyStatus(StrEnum):
    """Where a policy stands in the register."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"  # before its approval
    REPLACED = "replaced"  # by another policy, after it was active

    @property
    def is_over(self) -> bool:
        """Return whether the policy must be proposed again before it can be active."""
        return self in {PolicyStatus.WITHDRAWN, PolicyStatus.REPLACED}


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule adds `points` to the score if all conditions hold. `then` decides regardless of the score."""

    reason: str
    points: int
    when: tuple[AnyCondition, ...]
    then: Verdict | None = None


class PolicyDocument(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The rules, the lowest score of each band, and the limits.

    * `review_over`: high-risk payments over the limit, and all payments in a currency without one, are
      reviewed.
    * `block_over`: high-risk payments over the limit fail. A currency without a limit is not blocked.
    * `four_eyes_over`: two people must approve payments over the limit, and in currencies without one. If it
      is empty, one person is always enough.
    * `reject_from`: from this score on, reviewers are advised to reject.
    * `review_hours`: the time to decide.
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
    def lists(self) -> frozenset[ListName]:
        """Return the names of the lists that the rules use."""
        conditions = (condition for rule in self.rules for condition in rule.when)
        return frozenset(each.list for each in conditions if isinstance(each, InList))


class RiskPolicy(Struct, frozen=True):
    """A document and its id, the hash of its content. Build it with `of`."""

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
            # Each of the next two rules alone is a medium risk. Both together are a high risk.
            Rule(reason="many_payments_1h", points=40, when=(PaymentsOver(Window.HOUR, count=20),)),
            Rule(
                reason="large_volume_24h", points=40, when=(VolumeOver(Window.DAY, _OVER_50_000),)
            ),
            # While the read side lags, the other rules see old features, so only small amounts pass.
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
