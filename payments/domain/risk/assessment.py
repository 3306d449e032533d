"""Score a payment by a risk policy."""

from msgspec import Struct

from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.risk.conditions import AnyCondition, Measure, RiskFeatures, holds, measured
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


class NearMiss(Struct, frozen=True, gc=False):
    """A rule that did not fire because of one number: `value` was just below `limit`."""

    reason: str
    points: int
    condition: str  # the tag of the condition that did not hold
    value: int
    limit: int


class RiskAssessment(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The result of scoring a payment, with all data that explains it later."""

    score: int
    band: Band
    review: bool
    fired: tuple[FiredRule, ...]
    features: RiskFeatures
    policy_id: str
    block: bool = False
    # The review needs a second person, or a note to approve it.
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
        four_eyes=review and _needs_four_eyes(document, amount),
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
