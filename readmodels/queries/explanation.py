"""Explain the risk decision on a payment, from its own events."""

from collections.abc import Iterator, Sequence
from typing import Final, assert_never, get_args

from msgspec import Struct

from payments.domain.list_items import ListMatch
from payments.domain.money import Money
from payments.domain.payment.codes import FailureReason
from payments.domain.payment.events import AnyPaymentEvent, PaymentFailed
from payments.domain.payment.state import Payment, Status
from payments.domain.risk.assessment import FiredRule, NearMiss, RiskAssessment
from payments.domain.risk.conditions import (
    AmountOver,
    FeaturesOlderThan,
    Measure,
    PaymentsOver,
    RiskFeatures,
    VolumeOver,
    Window,
    measured,
)
from payments.domain.risk.policy import Band, RiskPolicy, Verdict
from readmodels import labels

# Events store the tag of a condition, not the condition.
_MEASURES: Final[dict[str, type[Measure]]] = {
    str(measure.__struct_config__.tag): measure for measure in get_args(Measure)
}
_WINDOWS: Final = {Window.HOUR: "an hour", Window.DAY: "a day"}


class Explanation(Struct, frozen=True, kw_only=True):
    """The outcome in one or two sentences, and lines of details if the risk was assessed."""

    outcome: str
    score: str = ""
    fired: tuple[str, ...] = ()
    near_misses: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()  # for reviewers
    features: tuple[str, ...] = ()
    lists: tuple[ListMatch, ...] = ()
    policy_id: str = ""


def explain(
    payment: Payment, events: Sequence[AnyPaymentEvent], policy: RiskPolicy | None
) -> Explanation:
    """Explain what the rules decided. Decisions of reviewers are in the payment's history.

    `policy` is the one that the assessment names, or None if the log does not hold it. Without it,
    the numbers of the rules that fired are unknown, because events store numbers only for near
    misses.
    """
    risk = payment.risk
    if risk is None:
        return Explanation(outcome=_unassessed(payment, events))
    currency = payment.amount.currency
    return Explanation(
        outcome=_outcome(payment, risk),
        score=_score(risk, policy),
        fired=tuple(_fired(rule, risk.features, payment.amount, policy) for rule in risk.fired),
        near_misses=tuple(_near_miss(miss, currency, policy) for miss in risk.near_misses),
        requirements=tuple(_requirements(payment, risk)),
        features=tuple(_features(risk.features, currency)),
        lists=risk.features.lists or (),
        policy_id=risk.policy_id,
    )


def _unassessed(payment: Payment, events: Sequence[AnyPaymentEvent]) -> str:
    if payment.status is Status.INITIATED:
        return "Not decided yet."
    for event in events:
        if isinstance(event, PaymentFailed) and event.reason is FailureReason.METHOD_LIMIT_EXCEEDED:
            limit = f"the limit of {event.limit.formatted()}" if event.limit else "the limit"
            method = labels.label(payment.method).lower()
            return (
                f"It failed: the amount exceeds {limit} for one payment by {method}."
                " Its risk was not assessed."
            )
    return "Its risk was not assessed, because the rules do not apply to imported payments."


def _outcome(payment: Payment, risk: RiskAssessment) -> str:
    currency = payment.amount.currency
    if risk.block:
        return f"The rules blocked it: {_cause(risk, Verdict.BLOCK, risk.block_over, currency)}."
    if risk.review:
        cause = _cause(risk, Verdict.REVIEW, risk.review_over, currency)
        return f"The rules sent it to review: {cause}."
    if risk.band is Band.HIGH and risk.review_over is not None:
        limit = Money(risk.review_over, currency).formatted()
        return (
            "The rules let it pass: the risk is high, but the amount does not exceed the review limit"
            f" for high risks, {limit}."
        )
    return f"The rules let it pass: the risk is {risk.band}, and no rule requires a review."


def _cause(risk: RiskAssessment, verdict: Verdict, limit: int | None, currency: str) -> str:
    decisive = [rule for rule in risk.fired if rule.then is verdict]
    if not decisive and limit is not None:
        return f"the risk is high, and the amount exceeds {Money(limit, currency).formatted()}"
    # Older code stored no limit, so the rules that fired are the only cause known.
    return "; ".join(labels.label(rule.reason) for rule in decisive or risk.fired)


def _score(risk: RiskAssessment, policy: RiskPolicy | None) -> str:
    score = f"{risk.score} points, {risk.band} risk"
    if policy is None:
        return score
    document = policy.document
    return f"{score} (medium from {document.medium_from}, high from {document.high_from})"


def _fired(
    rule: FiredRule, features: RiskFeatures, amount: Money, policy: RiskPolicy | None
) -> str:
    differences = [
        _difference(type(condition), number.value, number.limit, amount.currency, condition)
        for condition in _measures(policy, rule.reason)
        if (number := measured(condition, features, amount)).over and number.limit is not None
    ]
    numbers = f": {'; '.join(differences)}" if differences else ""
    return f"{labels.label(rule.reason)} ({rule.points} points{_effect(rule.then)}){numbers}"


def _measures(policy: RiskPolicy | None, reason: str) -> list[Measure]:
    """Return the conditions of the rule that compare a number with a limit."""
    rules = () if policy is None else policy.document.rules
    return [
        condition
        for rule in rules
        if rule.reason == reason
        for condition in rule.when
        if isinstance(condition, Measure)
    ]


def _effect(verdict: Verdict | None) -> str:
    match verdict:
        case Verdict.BLOCK:
            return ", blocks"
        case Verdict.REVIEW:
            return ", requires a review"
        case None:
            return ""
        case _:
            assert_never(verdict)


def _near_miss(miss: NearMiss, currency: str, policy: RiskPolicy | None) -> str:
    measure = _MEASURES.get(miss.condition)
    same = [each for each in _measures(policy, miss.reason) if type(each) is measure]
    difference = (
        f"{miss.value} did not exceed {miss.limit}"
        if measure is None
        else _difference(
            measure, miss.value, miss.limit, currency, same[0] if len(same) == 1 else None
        )
    )
    return f"{labels.label(miss.reason)} ({miss.points} points): {difference}"


def _difference(
    measure: type[Measure], value: int, limit: int, currency: str, condition: Measure | None
) -> str:
    """Compare the number with its limit. `condition` is the rule's own, if it is known."""
    window = getattr(condition, "window", None)
    within = f" within {_WINDOWS[window]}" if window else ""
    # A `match` would test instances. mypy reports a missing branch here too.
    if issubclass(measure, AmountOver):
        return (
            f"the amount was {Money(value, currency).formatted()},"
            f" the rule fires above {Money(limit, currency).formatted()}"
        )
    if issubclass(measure, PaymentsOver):
        return f"it was payment {value}{within or ' in the window'}, the rule fires above {limit}"
    if issubclass(measure, VolumeOver):
        return (
            f"the customer's payments{within} added up to {Money(value, currency).formatted()},"
            f" the rule fires above {Money(limit, currency).formatted()}"
        )
    if issubclass(measure, FeaturesOlderThan):
        return f"the features were {value} ms old, the rule fires above {limit} ms"
    assert_never(measure)


def _requirements(payment: Payment, risk: RiskAssessment) -> Iterator[str]:
    if payment.review_deadline is not None:
        yield f"Decide before {labels.minute(payment.review_deadline)}."
    if risk.four_eyes:
        yield "Two approvals, the second by a senior reviewer."
    if risk.reject_advised:
        yield "Rejection is advised: an approval needs a note with the reason."


def _features(features: RiskFeatures, currency: str) -> Iterator[str]:
    if features.new_customer:
        yield "This is the customer's first payment."
    if features.blocked:
        yield "The customer was blocked."
    if features.paid_by_card_before:
        yield "The customer had paid by card before."
    else:
        yield "The customer had no completed card payment."
    if features.velocity is not None:
        velocity = features.velocity
        for window, count, volume in (
            ("In the hour before", velocity.count_1h, velocity.volume_1h),
            ("In the day before", velocity.count_24h, velocity.volume_24h),
        ):
            money = Money(volume, currency).formatted()
            payments = f"{count} payment{'' if count == 1 else 's'}"
            yield f"{window}: {payments} in all currencies, {money} in {currency}."
    if features.country:
        yield f"Country given by the client: {features.country}."
    if not features.age_ms:
        yield f"Based on all events up to log position {features.position}."
        return
    seconds = features.age_ms / 1000
    age = f"{seconds:.1f} s" if seconds >= 1 else "less than a second"
    yield (
        f"Based on the events up to log position {features.position}; the oldest event"
        f" after it was {age} old."
    )
