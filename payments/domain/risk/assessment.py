"""Score a payment by a risk policy."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.risk.conditions import (
    AnyCondition,
    Limits,
    Measure,
    RiskFeatures,
    holds,
    measured,
)
from payments.domain.risk.policy import (
    NO_LIMIT,
    Band,
    PolicyDocument,
    RiskPolicy,
    Rule,
    Verdict,
)


class FiredRule(Struct, frozen=True, omit_defaults=True, gc=False):
    reason: str
    points: int
    then: Verdict | None = None


# Added to each assessment of a payment in a currency without a limit for review.
NO_LIMIT_FIRED: Final = FiredRule(NO_LIMIT, 0, Verdict.REVIEW)


class NearMiss(Struct, frozen=True, gc=False):
    """A rule that did not fire because of one number: `value` was just below `limit`."""

    reason: str
    points: int
    condition: str  # the tag of the condition that did not hold
    value: int
    limit: int


class Decision(Struct, frozen=True, gc=False):
    """The result of a policy, given the rules that fired."""

    score: int
    band: Band
    review: bool = False
    block: bool = False
    # `four_eyes`: two people must approve. `reject_advised`: an approval needs a note.
    four_eyes: bool = False
    reject_advised: bool = False


class RiskAssessment(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The result of scoring a payment, with all data that explains it later."""

    score: int
    band: Band
    review: bool
    fired: tuple[FiredRule, ...]
    features: RiskFeatures
    policy_id: str
    block: bool = False
    four_eyes: bool = False
    reject_advised: bool = False
    near_misses: tuple[NearMiss, ...] = ()
    # In minor units of the payment's currency, None without a limit.
    review_over: int | None = None
    block_over: int | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(rule.reason for rule in self.fired)


def assess(
    policy: RiskPolicy, features: RiskFeatures, *, amount: Money, method: Method
) -> RiskAssessment:
    """Return the assessment of a payment.

    The payment is blocked if it is high-risk and over the limit for blocking, or if a rule says so. If it is
    not blocked, it is reviewed if it is high-risk and over the limit for review, or if a rule says so.
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
    decision = decision_of(document, fired, amount)
    if amount.currency not in document.review_over:
        fired.append(NO_LIMIT_FIRED)
    return RiskAssessment(
        score=decision.score,
        band=decision.band,
        review=decision.review,
        block=decision.block,
        four_eyes=decision.four_eyes,
        reject_advised=decision.reject_advised,
        fired=tuple(fired),
        near_misses=tuple(near_misses),
        features=features,
        policy_id=policy.policy_id,
        review_over=document.review_over.get(amount.currency),
        block_over=document.block_over.get(amount.currency),
    )


def fired_rules(
    document: PolicyDocument, features: RiskFeatures, *, amount: Money, method: Method
) -> list[Rule]:
    """Return the rules whose conditions all hold. Unlike `assess`, this finds no near misses."""
    fired = []
    for rule in document.rules:
        for condition in rule.when:
            if not holds(condition, features, amount=amount, method=method):
                break
        else:
            fired.append(rule)
    return fired


def decision_of(
    document: PolicyDocument, fired: Iterable[Rule | FiredRule], amount: Money
) -> Decision:
    """Return the decision on an amount if these rules fire."""
    score = 0
    verdicts = set()
    for rule in fired:
        score += rule.points
        verdicts.add(rule.then)
    band = _band(document, score)
    if Verdict.BLOCK in verdicts or (band is Band.HIGH and _is_over(document.block_over, amount)):
        return Decision(score, band, block=True)
    limited = amount.currency in document.review_over
    review = (
        not limited
        or Verdict.REVIEW in verdicts
        or (band is Band.HIGH and _is_over(document.review_over, amount))
    )
    return Decision(
        score,
        band,
        review=review,
        four_eyes=review and _needs_four_eyes(document, amount),
        reject_advised=review
        and document.reject_from is not None
        and score >= document.reject_from,
    )


def _is_over(limits: Limits, amount: Money) -> bool:
    limit = limits.get(amount.currency)
    return limit is not None and amount.minor > limit


def _band(document: PolicyDocument, score: int) -> Band:
    if score >= document.high_from:
        return Band.HIGH
    return Band.MEDIUM if score >= document.medium_from else Band.LOW


def _needs_four_eyes(document: PolicyDocument, amount: Money) -> bool:
    """Return whether two people must approve the amount, if it is reviewed."""
    limit = document.four_eyes_over.get(amount.currency)
    return bool(document.four_eyes_over) and (limit is None or amount.minor > limit)


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
