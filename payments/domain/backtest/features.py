"""Compute the risk features of past payments from the log, as the read model would have had them."""

from bisect import bisect_right, insort
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from payments.domain.customer import AnyCustomerEvent, BlockLifted, BlockPlaced, is_blocked_after
from payments.domain.methods import CARDS
from payments.domain.payment.events import (
    AnyPaymentEvent,
    PaymentInitiated,
    PaymentProcessed,
    PaymentRefunded,
)
from payments.domain.risk.conditions import RiskFeatures, Velocity
from payments.domain.risk.windows import DAY, HOUR, bucket_of


class Change(Struct, frozen=True, array_like=True, gc=False):
    """The change that one event, or several consecutive ones, make to the history of a customer.

    First, a payment of `minor` units of `currency` begins at the time `at`, unless that is None.
    Then the number of card payments that are completed and not fully refunded grows by `paid`. Then
    the customer is `blocked` or not, unless that is None.
    """

    at: datetime | None = None
    currency: str = ""
    minor: int = 0
    paid: int = 0
    blocked: bool | None = None

    def joined(self, after: "Change") -> "Change | None":
        """Return both changes as one, None if a payment begins in the second."""
        if after.at is not None:
            return None
        blocked = self.blocked if after.blocked is None else after.blocked
        return replace(self, paid=self.paid + after.paid, blocked=blocked)


_PAID: Final = Change(paid=1)
_REFUNDED: Final = Change(paid=-1)
_BLOCKED: Final = Change(blocked=True)
_UNBLOCKED: Final = Change(blocked=False)


def change_of(event: AnyPaymentEvent | AnyCustomerEvent) -> Change | None:
    """Return the change that the event makes, None if no feature depends on it."""
    match event:
        case PaymentInitiated(initiated_at=at, amount=amount):
            return Change(at, amount.currency, amount.minor)
        case PaymentProcessed(method=method) if method in CARDS:
            return _PAID
        case PaymentRefunded(method=method) if method in CARDS:
            return _REFUNDED if event.refunded == event.amount else None
        case BlockPlaced() | BlockLifted():
            return _BLOCKED if is_blocked_after(event) else _UNBLOCKED
        case _:
            return None


class CustomerHistory:
    """The history of one customer, folded from the changes in the order of the log.

    When a payment begins, call `features` before `apply`. Memory grows with the number of buckets
    that have a payment. No bucket is dropped, because imports append payments out of order.
    """

    __slots__ = ("_blocked", "_buckets", "_known", "_paid_by_card", "_starts")

    def __init__(self) -> None:
        self._known = False
        self._blocked = False
        self._paid_by_card = 0  # completed card payments without a full refund
        self._starts: list[datetime] = []  # starts of buckets, sorted
        self._buckets: dict[
            datetime, dict[str, tuple[int, int]]
        ] = {}  # count and volume by currency

    def features(self, position: int, *, at: datetime, currency: str) -> RiskFeatures:
        """Return the features of a payment at the time `at`, with its first event at `position`."""
        count_1h, volume_1h = self._earlier(at, HOUR, currency)
        count_24h, volume_24h = self._earlier(at, DAY, currency)
        return RiskFeatures(
            paid_by_card_before=self._paid_by_card > 0,
            position=position - 1,
            age_ms=0,
            new_customer=not self._known,
            blocked=self._blocked,
            velocity=Velocity(
                count_1h=count_1h,
                volume_1h=volume_1h,
                count_24h=count_24h,
                volume_24h=volume_24h,
            ),
        )

    def apply(self, change: Change) -> None:
        """Apply the next change of the customer."""
        self._known = True
        if change.at is not None:
            self._begin(change.at, change.currency, change.minor)
        self._paid_by_card += change.paid
        if change.blocked is not None:
            self._blocked = change.blocked

    def _begin(self, at: datetime, currency: str, minor: int) -> None:
        start = bucket_of(at)
        bucket = self._buckets.get(start)
        if bucket is None:
            bucket = self._buckets[start] = {}
            insort(self._starts, start)
        count, volume = bucket.get(currency, (0, 0))
        bucket[currency] = count + 1, volume + minor

    def _earlier(self, at: datetime, window: timedelta, currency: str) -> tuple[int, int]:
        """Return the number of earlier payments in the window, and their volume in the currency."""
        first = bisect_right(self._starts, at - window)
        last = bisect_right(self._starts, at)
        count = volume = 0
        for start in self._starts[first:last]:
            for each, (payments, minor) in self._buckets[start].items():
                count += payments
                volume += minor if each == currency else 0
        return count, volume
