"""Why a payment was decided as it was, in words, from what its events tell."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from payments.domain.money import Money
from payments.domain.payment.events import AnyPaymentEvent, FailureReason, PaymentFailed
from payments.domain.payment.state import Payment, Status
from payments.domain.risk.assessment import FiredRule, NearMiss, RiskAssessment
from payments.domain.risk.conditions import RiskFeatures
from payments.domain.risk.policy import Band, RiskPolicy, Verdict
from readmodels import labels

_MEASURES: Final = {
    "amount_over": "the amount was {value}, the rule asks for more than {limit}",
    "payments_over": "it was payment {value} within its time, the rule asks for more than {limit}",
    "volume_over": "the customer's payments came to {value}, the rule asks for more than {limit}",
    "features_older_than": "they were {value} ms old, the rule asks for more than {limit} ms",
}
_MONEY: Final = frozenset({"amount_over", "volume_over"})


class Explanation(Struct, frozen=True, kw_only=True):
    """`because` is one sentence or two, the others are lines; empty where risk was not assessed."""

    because: str
    score: str = ""
    fired: tuple[str, ...] = ()
    near_misses: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()  # of its reviewers
    known: tuple[str, ...] = ()
    policy_id: str = ""


def explain(
    payment: Payment, events: Sequence[AnyPaymentEvent], policy: RiskPolicy | None
) -> Explanation:
    """Explain what the rules decided; what people decided is told by the history.

    `policy` is the one that the assessment names, if it is known.
    """
    risk = payment.risk
    if risk is None:
        return Explanation(because=_unassessed(payment, events))
    return Explanation(
        because=_because(payment, risk),
        score=_score(risk, policy),
        fired=tuple(_rule(rule) for rule in risk.fired),
        near_misses=tuple(_near(miss, payment.amount.currency) for miss in risk.near_misses),
        asks=tuple(_asked(payment, risk)),
        known=tuple(_known(risk.features, payment.amount.currency)),
        policy_id=risk.policy_id,
    )


def _unassessed(payment: Payment, events: Sequence[AnyPaymentEvent]) -> str:
    if payment.status is Status.INITIATED:
        return "Nothing was decided yet."
    for event in events:
        if isinstance(event, PaymentFailed) and event.reason is FailureReason.METHOD_LIMIT_EXCEEDED:
            limit = f" {event.limit.formatted()}" if event.limit else ""
            method = labels.plain(payment.method).lower()
            return (
                f"It failed because its amount is over what one payment by {method} may have:"
                f"{limit}. Its risk was not assessed."
            )
    return "Its risk was not assessed, as that of every payment of the past."


def _because(payment: Payment, risk: RiskAssessment) -> str:
    currency = payment.amount.currency
    if risk.block:
        return f"The rules refused it: {_cause(risk, Verdict.BLOCK, risk.block_over, currency)}."
    if risk.review:
        cause = _cause(risk, Verdict.REVIEW, risk.review_over, currency)
        return f"The rules had it wait for a person: {cause}."
    if risk.band is Band.HIGH and risk.review_over is not None:
        limit = Money(risk.review_over, currency).formatted()
        return (
            "The rules let it pass: its risk is high, but its amount is not over the limit from"
            f" which high risks are reviewed, {limit}."
        )
    return f"The rules let it pass: its risk is {risk.band}, and none of them asks for a person."


def _cause(risk: RiskAssessment, verdict: Verdict, limit: int | None, currency: str) -> str:
    alone = [labels.plain(rule.reason) for rule in risk.fired if rule.then is verdict]
    if alone:
        return "; ".join(alone)
    if limit is None:
        return "; ".join(labels.plain(rule.reason) for rule in risk.fired)  # stored by older code
    return f"its risk is high and its amount over {Money(limit, currency).formatted()}"


def _score(risk: RiskAssessment, policy: RiskPolicy | None) -> str:
    score = f"{risk.score} points, {risk.band} risk"
    if policy is None:
        return score
    document = policy.document
    return f"{score} (medium from {document.medium_from}, high from {document.high_from})"


def _rule(rule: FiredRule) -> str:
    effect = {Verdict.BLOCK: ", refuses", Verdict.REVIEW: ", asks for a person", None: ""}
    return f"{labels.plain(rule.reason)} ({rule.points} points{effect[rule.then]})"


def _near(miss: NearMiss, currency: str) -> str:
    money = miss.condition in _MONEY
    value, limit = (
        Money(number, currency).formatted() if money else str(number)
        for number in (miss.value, miss.limit)
    )
    measure = _MEASURES.get(miss.condition, "{value} was not over {limit}")
    told = measure.format(value=value, limit=limit)
    return f"{labels.plain(miss.reason)} ({miss.points} points): {told}"


def _asked(payment: Payment, risk: RiskAssessment) -> Iterator[str]:
    if payment.review_deadline is not None:
        yield f"To decide before {labels.minute(payment.review_deadline)}."
    if risk.four_eyes:
        yield "Two people to approve it, the second of them a senior reviewer."
    if risk.reject_advised:
        yield "To reject it: whoever approves it all the same says why in a note."


def _known(features: RiskFeatures, currency: str) -> Iterator[str]:
    if features.new_customer:
        yield "It is the customer's first payment."
    if features.blocked:
        yield "The customer was blocked."
    if features.paid_by_card_before:
        yield "The customer had paid by card before."
    else:
        yield "No completed card payment of the customer was known."
    if features.velocity is not None:
        velocity = features.velocity
        for window, count, volume in (
            ("an hour", velocity.count_1h, velocity.volume_1h),
            ("a day", velocity.count_24h, velocity.volume_24h),
        ):
            money = Money(volume, currency).formatted()
            payments = "payment" if count == 1 else "payments"
            yield f"Within {window} before: {count} {payments}, {money}."
    if features.country:
        yield f"The country given was {features.country}."
    yield (
        f"All this as of position {features.position} of the log; what was missing had been waiting"
        f" for {features.age_ms / 1000:.1f} s."
        if features.age_ms
        else f"All this as of position {features.position} of the log; nothing was missing."
    )
