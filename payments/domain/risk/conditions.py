"""What a risk rule can ask of a payment: conditions as data, over the features and the payment.

They are data so that a policy can be hashed, stored, shown and written by people.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, assert_never

from msgspec import Struct

from payments.domain.methods import CARDS, Method
from payments.domain.money import Money

# How close a number must come to its limit to be told as a near miss.
_NEAR_PERCENT: Final = 90

# Amounts in minor units, by currency. What is in another currency is over none of them: the policy
# sends it to a person whatever its rules say.
Limits = Mapping[str, int]


class Velocity(Struct, frozen=True, kw_only=True, gc=False):
    """What the customer began to pay before: numbers in all currencies, volumes in the payment's."""

    count_1h: int
    volume_1h: int
    count_24h: int
    volume_24h: int


class RiskFeatures(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What was known of the customer at the time of scoring, and how fresh that was.

    None means "not known": older code did not look, or did not store a "no".
    """

    paid_by_card_before: bool  # a completed card payment is known
    position: int  # the last log position that the features cover
    age_ms: int  # how long the oldest event that they miss has been waiting
    new_customer: bool | None = None  # seen for the first time
    blocked: bool | None = None
    country: str | None = None  # ISO 3166-1 alpha-2, if the client gave one
    velocity: Velocity | None = None


class Window(StrEnum):
    HOUR = "1h"
    DAY = "24h"


# A field that is not known is refused, since a condition that is half understood would hold for
# others than meant. Defaults are left out, so that a field added later changes no policy's id.
class Condition(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Holds of a payment, or not."""


class FirstCardPayment(Condition, frozen=True, tag="first_card_payment"):
    """The customer pays by card and never completed a card payment before."""


class NewCustomer(Condition, frozen=True, tag="new_customer"):
    """It is the customer's first payment with this client."""


class CustomerBlocked(Condition, frozen=True, tag="customer_blocked"):
    """Staff have blocked the customer."""


class MethodIn(Condition, frozen=True, tag="method_in"):
    methods: tuple[Method, ...]


class CountryIn(Condition, frozen=True, tag="country_in"):
    """The client gave one of these countries."""

    countries: tuple[str, ...]


class AmountOver(Condition, frozen=True, tag="amount_over"):
    """The amount is over the limit of its currency."""

    limits: Limits


class PaymentsOver(Condition, frozen=True, tag="payments_over"):
    """With this one the customer began more than `count` payments within the window."""

    window: Window
    count: int


class VolumeOver(Condition, frozen=True, tag="volume_over"):
    """With this one the customer's payments in its currency are over the limit within the window."""

    window: Window
    limits: Limits


class FeaturesOlderThan(Condition, frozen=True, tag="features_older_than"):
    """The features miss an event that has been waiting for longer than `ms`."""

    ms: int


Measure = AmountOver | PaymentsOver | VolumeOver | FeaturesOlderThan
AnyCondition = FirstCardPayment | NewCustomer | CustomerBlocked | MethodIn | CountryIn | Measure


class Measured(Struct, frozen=True, gc=False):
    """A number and the limit that it must be over, None where there is none for the currency."""

    value: int
    limit: int | None

    @property
    def over(self) -> bool:
        return self.limit is not None and self.value > self.limit

    @property
    def near(self) -> bool:
        """Whether it is not over, but nearly."""
        if self.limit is None or self.over:
            return False
        return self.value * 100 >= self.limit * _NEAR_PERCENT


def holds(
    condition: AnyCondition, features: RiskFeatures, *, amount: Money, method: Method
) -> bool:
    match condition:
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
        case AmountOver() | PaymentsOver() | VolumeOver() | FeaturesOlderThan():
            return measured(condition, features, amount).over
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
