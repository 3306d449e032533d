"""The risk policy: an immutable document of rules, and the pure function that scores by it."""

from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.risk.conditions import (
    AmountOver,
    AnyCondition,
    CustomerBlocked,
    FeaturesOlderThan,
    FirstCardPayment,
    Limits,
    Measure,
    PaymentsOver,
    RiskFeatures,
    VolumeOver,
    Window,
    holds,
    measured,
)


class Band(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Verdict(StrEnum):
    """What a rule alone can decide."""

    REVIEW = "review"
    BLOCK = "block"


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


class FiredRule(Struct, frozen=True, omit_defaults=True, gc=False):
    reason: str
    points: int
    then: Verdict | None = None


class NearMiss(Struct, frozen=True, gc=False):
    """A rule that one number kept from firing: `value` was nearly over `limit`."""

    reason: str
    points: int
    condition: str  # the tag of the one that did not hold
    value: int
    limit: int


class RiskAssessment(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a policy said of a payment, with everything that is needed to explain it later."""

    score: int
    band: Band
    review: bool
    fired: tuple[FiredRule, ...]
    features: RiskFeatures
    policy_id: str
    block: bool = False
    # What the policy asks of whoever reviews it: a second person, a reason to approve it all the same.
    four_eyes: bool = False
    reject_advised: bool = False
    near_misses: tuple[NearMiss, ...] = ()
    # In minor units of the payment's currency; None where the policy has none.
    review_over: int | None = None
    block_over: int | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(rule.reason for rule in self.fired)


NO_LIMIT: Final = "no_limit_for_currency"  # the one reason that is no rule's


def assess(
    policy: RiskPolicy, features: RiskFeatures, *, amount: Money, method: Method
) -> RiskAssessment:
    """Score a payment.

    It fails if it is high-risk and over the limit for that, or if a rule alone says so; else it
    waits for a person if it is high-risk and over the limit for review, or if a rule says so.
    """
    document = policy.document
    fired: list[FiredRule] = []
    near_misses: list[NearMiss] = []
    for rule in document.rules:
        missing = [
            condition
            for condition in rule.when
            if not holds(condition, features, amount=amount, method=method)
        ]
        if not missing:
            fired.append(FiredRule(rule.reason, rule.points, rule.then))
        elif len(missing) == 1 and (near := _near(rule, missing[0], features, amount)):
            near_misses.append(near)
    score = sum(rule.points for rule in fired)
    band = _band(document, score)
    review_over = document.review_over.get(amount.currency)
    block_over = document.block_over.get(amount.currency)
    if review_over is None:
        fired.append(FiredRule(NO_LIMIT, 0, Verdict.REVIEW))
    verdicts = {rule.then for rule in fired}
    if review_over is not None and band is Band.HIGH and amount.minor > review_over:
        verdicts.add(Verdict.REVIEW)
    if band is Band.HIGH and block_over is not None and amount.minor > block_over:
        verdicts.add(Verdict.BLOCK)
    block = Verdict.BLOCK in verdicts
    review = not block and Verdict.REVIEW in verdicts
    return RiskAssessment(
        score=score,
        band=band,
        review=review,
        block=block,
        four_eyes=review and document.needs_four_eyes(amount),
        reject_advised=review
        and document.reject_from is not None
        and score >= document.reject_from,
        fired=tuple(fired),
        near_misses=tuple(near_misses),
        features=features,
        policy_id=policy.policy_id,
        review_over=review_over,
        block_over=block_over,
    )


def _near(
    rule: Rule, missing: AnyCondition, features: RiskFeatures, amount: Money
) -> NearMiss | None:
    if not isinstance(missing, Measure):
        return None
    number = measured(missing, features, amount)
    if number.limit is None or not number.near:
        return None
    tag = str(missing.__struct_config__.tag)
    return NearMiss(rule.reason, rule.points, tag, number.value, number.limit)


def _band(document: PolicyDocument, score: int) -> Band:
    if score >= document.high_from:
        return Band.HIGH
    return Band.MEDIUM if score >= document.medium_from else Band.LOW


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
