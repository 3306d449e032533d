"""The risk policy: an immutable document of rules, and the pure function that scores by it."""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Final, assert_never

import msgspec
from msgspec import Struct

from payments.domain.methods import CARDS, Method
from payments.domain.money import Money


class Band(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class RiskFeatures(Struct, frozen=True, kw_only=True, gc=False):
    """What was known of the customer at the time of scoring, and how fresh that was."""

    paid_by_card_before: bool  # a completed card payment is known
    position: int  # the last log position that the features cover
    age_ms: int  # how long the oldest event that they miss has been waiting


class Limits(Struct, frozen=True):
    """Amounts in minor units, by currency.

    One that is missing counts as exceeded: unknown is not harmless.
    """

    minor: Mapping[str, int]

    def exceeded_by(self, amount: Money) -> bool:
        limit = self.minor.get(amount.currency)
        return limit is None or amount.minor > limit


# Predicates are data, so that a policy can be hashed, stored and shown.
class FirstCardPayment(Struct, frozen=True, tag="first_card_payment"):
    """The customer pays by card and never completed a card payment before."""


class AmountOver(Struct, frozen=True, tag="amount_over"):
    """The amount is over the limit of its currency."""

    limits: Limits


class FeaturesOlderThan(Struct, frozen=True, tag="features_older_than"):
    """The features miss an event that has been waiting for longer than `ms`."""

    ms: int


Predicate = FirstCardPayment | AmountOver | FeaturesOlderThan


class Rule(Struct, frozen=True, kw_only=True):
    """Gives `points` for `reason` when all predicates hold; `review` alone asks for a person."""

    reason: str
    points: int
    when: tuple[Predicate, ...]
    review: bool = False


class PolicyDocument(Struct, frozen=True, kw_only=True):
    """Rules, each band's lowest score, and the amounts over which a high risk is reviewed."""

    rules: tuple[Rule, ...]
    medium_from: int
    high_from: int
    review_over: Limits


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


class FiredRule(Struct, frozen=True, gc=False):
    reason: str
    points: int


class RiskAssessment(Struct, frozen=True, kw_only=True, gc=False):
    """What a policy said of a payment, with everything that is needed to explain it later."""

    score: int
    band: Band
    review: bool
    fired: tuple[FiredRule, ...]
    features: RiskFeatures
    policy_id: str

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(rule.reason for rule in self.fired)


def assess(
    policy: RiskPolicy, features: RiskFeatures, *, amount: Money, method: Method
) -> RiskAssessment:
    """Score a payment.

    It waits for a person if it is high-risk and over the limit, or if a rule alone says so.
    """
    document = policy.document
    rules = [
        rule
        for rule in document.rules
        if all(_holds(predicate, features, amount, method) for predicate in rule.when)
    ]
    fired = [FiredRule(rule.reason, rule.points) for rule in rules]
    score = sum(rule.points for rule in rules)
    band = _band(document, score)
    review = any(rule.review for rule in rules)
    if amount.currency not in document.review_over.minor:
        fired.append(FiredRule("no_limit_for_currency", 0))
        review = True
    elif band is Band.HIGH and document.review_over.exceeded_by(amount):
        review = True
    return RiskAssessment(
        score=score,
        band=band,
        review=review,
        fired=tuple(fired),
        features=features,
        policy_id=policy.policy_id,
    )


def _holds(predicate: Predicate, features: RiskFeatures, amount: Money, method: Method) -> bool:
    match predicate:
        case FirstCardPayment():
            return method in CARDS and not features.paid_by_card_before
        case AmountOver(limits=limits):
            return limits.exceeded_by(amount)
        case FeaturesOlderThan(ms=ms):
            return features.age_ms > ms
        case _:
            assert_never(predicate)


def _band(document: PolicyDocument, score: int) -> Band:
    if score >= document.high_from:
        return Band.HIGH
    return Band.MEDIUM if score >= document.medium_from else Band.LOW


_OVER_10_000: Final = Limits(
    {"USD": 10_000_00, "EUR": 10_000_00, "GBP": 8_000_00, "JPY": 1_500_000}
)
_OVER_1_000: Final = Limits({"USD": 1_000_00, "EUR": 1_000_00, "GBP": 800_00, "JPY": 150_000})

DEFAULT_POLICY: Final = RiskPolicy.of(
    PolicyDocument(
        rules=(
            Rule(
                reason="first_card_payment_large",
                points=80,
                when=(FirstCardPayment(), AmountOver(_OVER_10_000)),
            ),
            # While the read side lags, the other rules look at an old picture: only small amounts
            # pass.
            Rule(
                reason="features_stale",
                points=0,
                when=(FeaturesOlderThan(5_000), AmountOver(_OVER_1_000)),
                review=True,
            ),
        ),
        medium_from=40,
        high_from=70,
        review_over=_OVER_10_000,
    )
)
