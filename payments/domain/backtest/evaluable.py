"""Check whether features hold every fact that a policy needs. A missing fact is never guessed."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, assert_never

from payments.domain.list_items import Item, ListName
from payments.domain.methods import CARDS
from payments.domain.payment.state import Payment
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

    FEATURES = "features"  # neither recorded, as for imports, nor reconstructed
    NEW_CUSTOMER = "new_customer"
    BLOCKED = "blocked"
    VELOCITY = "velocity"
    COUNTRY = "country"
    CARD = "card"
    REFERENCE = "reference"
    LISTS = "lists"


# The fact that is needed to look a payment up in a list of this type. The customer is always known.
_LISTED: Final = {
    Item.CARD: Fact.CARD,
    Item.COUNTRY: Fact.COUNTRY,
    Item.REFERENCE_PREFIX: Fact.REFERENCE,
}


def needed_facts(policy: RiskPolicy, lists: Mapping[ListName, Item]) -> frozenset[Fact]:
    """Return the facts that the policy asks for and that can be missing.

    `lists` are the types of the lists that exist. No payment is on a list that does not exist.
    """
    facts = {_needed_fact(each) for rule in policy.document.rules for each in rule.when}
    facts |= {_LISTED.get(lists[name]) for name in policy.document.lists if name in lists}
    return frozenset(fact for fact in facts if fact is not None)


def missing_facts(facts: frozenset[Fact], features: RiskFeatures, payment: Payment) -> list[Fact]:
    """Return the facts that are not known. If there are none, the payment is evaluable."""
    return [fact for fact in facts if _is_missing(fact, features, payment)]


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


def _is_missing(fact: Fact, features: RiskFeatures, payment: Payment) -> bool:
    # If the payment was scored when it was made, an absent value means that the client sent none.
    scored = payment.risk is not None
    match fact:
        case Fact.FEATURES:
            return False
        # Code that stored velocity also computed the next two, but did not store False. Older code
        # computed neither.
        case Fact.NEW_CUSTOMER:
            return features.new_customer is None and features.velocity is None
        case Fact.BLOCKED:
            return features.blocked is None and features.velocity is None
        case Fact.VELOCITY:
            return features.velocity is None
        case Fact.COUNTRY:
            return not scored and features.country is None
        case Fact.CARD:
            return not scored and payment.method in CARDS and payment.card is None
        case Fact.REFERENCE:
            return not scored and payment.reference is None
        case Fact.LISTS:
            return features.lists is None
        case _:
            assert_never(fact)
