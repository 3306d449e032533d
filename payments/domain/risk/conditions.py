"""The conditions of risk rules, over the payment and the features of its customer.

They are data, so a policy can be hashed, stored, shown and written by people.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, assert_never, get_args
from uuid import UUID

from msgspec import Struct

from payments.domain.list_items import (
    LONGEST_PREFIX,
    SHORTEST_PREFIX,
    Item,
    ListMatch,
    ListName,
    key,
)
from payments.domain.methods import CARDS, Method
from payments.domain.money import Money

# From this share of its limit on, a number is a near miss.
_NEAR_PERCENT: Final = 90

# Amounts in minor units, by currency. An amount in another currency is never over the limit,
# because the policy sends it to review anyway.
Limits = Mapping[str, int]


class Velocity(Struct, frozen=True, kw_only=True, gc=False):
    """The customer's earlier payments: counts in all currencies, volumes in that of the payment."""

    count_1h: int
    volume_1h: int
    count_24h: int
    volume_24h: int


class RiskFeatures(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The facts about the customer at the time of scoring, and how fresh they were.

    None means unknown: older code did not compute the feature, or did not store False.
    """

    paid_by_card_before: bool  # the customer has a completed card payment
    position: int  # the last log position that the features cover
    age_ms: int  # the age of the oldest event that the features do not cover
    new_customer: bool | None = None  # this is the customer's first payment
    blocked: bool | None = None
    country: str | None = None  # ISO 3166-1 alpha-2, if the client sent one
    velocity: Velocity | None = None
    # All lists that the payment's card, customer, country or reference was on. Each payment looks
    # up all lists that exist at that time, so a new condition can be evaluated on these features. A
    # list that is missing here had no matching entry, or did not exist.
    lists: tuple[ListMatch, ...] | None = None


class Window(StrEnum):
    HOUR = "1h"
    DAY = "24h"


# Unknown fields are refused: a misspelled field would change the meaning of a condition silently. Defaults
# are omitted, so a field that is added later does not change the id of any policy.
class Condition(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A condition that a payment may meet."""


class FirstCardPayment(Condition, frozen=True, tag="first_card_payment"):
    """The customer pays by card and has no completed card payment."""


class NewCustomer(Condition, frozen=True, tag="new_customer"):
    """The payment is the customer's first one with this client."""


class CustomerBlocked(Condition, frozen=True, tag="customer_blocked"):
    """Staff have blocked the customer."""


class MethodIn(Condition, frozen=True, tag="method_in"):
    methods: tuple[Method, ...]


class CountryIn(Condition, frozen=True, tag="country_in"):
    """The client sent one of these countries."""

    countries: tuple[str, ...]


class InList(Condition, frozen=True, tag="in_list"):
    """The list holds the payment's card, customer, country or a prefix of its reference."""

    list: ListName


class AmountOver(Condition, frozen=True, tag="amount_over"):
    """The amount is over the limit of its currency."""

    limits: Limits


class PaymentsOver(Condition, frozen=True, tag="payments_over"):
    """The customer has more than `count` payments within the window, including this one."""

    window: Window
    count: int


class VolumeOver(Condition, frozen=True, tag="volume_over"):
    """The customer's payments in this currency within the window, including this one, exceed the limit."""

    window: Window
    limits: Limits


class FeaturesOlderThan(Condition, frozen=True, tag="features_older_than"):
    """An event that the features do not cover is more than `ms` milliseconds old."""

    ms: int


# The beginnings of the keys that InList looks for. The values follow.
_CARD: Final = key(Item.CARD, "")
_CUSTOMER: Final = key(Item.CUSTOMER, "")
_COUNTRY: Final = key(Item.COUNTRY, "")
_PREFIX: Final = key(Item.REFERENCE_PREFIX, "")


def listable(
    *,
    customer_id: UUID,
    fingerprint: str | None = None,
    country: str | None = None,
    reference: str | None = None,
) -> list[str]:
    """Return the keys of everything in a payment that a list can hold."""
    keys = [f"{_CUSTOMER}{customer_id}"]
    if fingerprint is not None:
        keys.append(_CARD + fingerprint)
    if country is not None:
        keys.append(_COUNTRY + country)
    if reference is not None:
        lengths = range(SHORTEST_PREFIX, min(len(reference), LONGEST_PREFIX) + 1)
        keys += [_PREFIX + reference[:length] for length in lengths]
    return keys


Measure = AmountOver | PaymentsOver | VolumeOver | FeaturesOlderThan
AnyCondition = (
    FirstCardPayment | NewCustomer | CustomerBlocked | MethodIn | CountryIn | InList | Measure
)
CONDITION_TYPES: Final[Mapping[str, type[AnyCondition]]] = {
    str(each.__struct_config__.tag): each for each in get_args(AnyCondition)
}


class Measured(Struct, frozen=True, gc=False):
    """A number and its limit, None if the currency has no limit."""

    value: int
    limit: int | None

    @property
    def over(self) -> bool:
        return self.limit is not None and self.value > self.limit

    @property
    def near(self) -> bool:
        """Return whether the number is close to its limit, but not over it."""
        if self.limit is None or self.over:
            return False
        return self.value * 100 >= self.limit * _NEAR_PERCENT


def holds(
    condition: AnyCondition, features: RiskFeatures, *, amount: Money, method: Method
) -> bool:
    # A case that does not match takes time too, so the most frequent ones come first.
    match condition:
        case AmountOver() | PaymentsOver() | VolumeOver() | FeaturesOlderThan():
            return measured(condition, features, amount).over
        case FirstCardPayment():
            return method in CARDS and not features.paid_by_card_before
        case NewCustomer():
            return features.new_customer is True
        case CustomerBlocked():
            return features.blocked is True
        case MethodIn(methods=methods):
            return method in methods
        case CountryIn(countries=countries):
            return features.country in countries
        case InList(list=name):
            return any(match.list == name for match in features.lists or ())
        case _:
            assert_never(condition)


def measured(condition: Measure, features: RiskFeatures, amount: Money) -> Measured:
    match condition:
        case AmountOver(limits=limits):
            return Measured(amount.minor, limits.get(amount.currency))
        case PaymentsOver(window=window, count=count):
            return Measured(_earlier(features, window)[0] + 1, count)
        case VolumeOver(window=window, limits=limits):
            volume = _earlier(features, window)[1] + amount.minor
            return Measured(volume, limits.get(amount.currency))
        case FeaturesOlderThan(ms=ms):
            return Measured(features.age_ms, ms)
        case _:
            assert_never(condition)


def _earlier(features: RiskFeatures, window: Window) -> tuple[int, int]:
    velocity = features.velocity
    if velocity is None:
        return 0, 0
    if window is Window.HOUR:
        return velocity.count_1h, velocity.volume_1h
    return velocity.count_24h, velocity.volume_24h
