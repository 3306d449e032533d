"""Whether features hold every fact that a policy asks for. A missing fact is never guessed."""

from enum import StrEnum
from typing import assert_never

from payments.domain.risk.conditions import (
    AmountOver,
    AnyCondition,
    CountryIn,
    CustomerBlocked,
    FeaturesOlderThan,
    FirstCardPayment,
    InList,
    MethodIn,
    NewCustomer,
    PaymentsOver,
    RiskFeatures,
    VolumeOver,
)
from payments.domain.risk.policy import RiskPolicy


class Fact(StrEnum):
    """A fact that features may lack. A payment that lacks one is counted under its name."""

    FEATURES = "features"  # the payment was not scored, as an import, and nothing was reconstructed
    NEW_CUSTOMER = "new_customer"
    BLOCKED = "blocked"
    VELOCITY = "velocity"
    COUNTRY = "country"
    LISTS = "lists"


def needed_facts(policy: RiskPolicy) -> frozenset[Fact]:
    """Return the facts that the policy asks for and that can be missing."""
    facts = (_needed_fact(each) for rule in policy.document.rules for each in rule.when)
    return frozenset(fact for fact in facts if fact is not None)


def missing_facts(facts: frozenset[Fact], features: RiskFeatures, *, scored: bool) -> list[Fact]:
    """Return those of the facts that the features lack. If there are none, the payment is evaluable.

    `scored` is whether the payment was scored when it was made. Only then is it known that the client sent
    no country.
    """
    return [fact for fact in facts if _is_missing(fact, features, scored=scored)]


def _needed_fact(condition: AnyCondition) -> Fact | None:
    match condition:
        case NewCustomer():
            return Fact.NEW_CUSTOMER
        case CustomerBlocked():
            return Fact.BLOCKED
        case CountryIn():
            return Fact.COUNTRY
        case InList():
            return Fact.LISTS
        case PaymentsOver() | VolumeOver():
            return Fact.VELOCITY
        case FirstCardPayment() | MethodIn() | AmountOver() | FeaturesOlderThan():
            return None
        case _:
            assert_never(condition)


def _is_missing(fact: Fact, features: RiskFeatures, *, scored: bool) -> bool:
    match fact:
        case Fact.FEATURES:
            return False
        # Code that stored velocity also knew these two, and did not store False. Older code knew neither.
        case Fact.NEW_CUSTOMER:
            return features.new_customer is None and features.velocity is None
        case Fact.BLOCKED:
            return features.blocked is None and features.velocity is None
        case Fact.VELOCITY:
            return features.velocity is None
        case Fact.COUNTRY:
            return not scored and features.country is None
        case Fact.LISTS:
            return features.lists is None
        case _:
            assert_never(fact)
