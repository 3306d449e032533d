"""Compute the risk features of past payments from the log, as the read model would have had them."""

from bisect import bisect_right, insort
from datetime import datetime, timedelta

from payments.domain.customer import AnyCustomerEvent, BlockLifted, BlockPlaced, is_blocked_after
from payments.domain.methods import CARDS
from payments.domain.money import Money
from payments.domain.payment.events import (
    AnyPaymentEvent,
    PaymentInitiated,
    PaymentProcessed,
    PaymentRefunded,
)
from payments.domain.risk.conditions import RiskFeatures, Velocity
from payments.domain.risk.windows import DAY, HOUR, bucket_of


class CustomerHistory:
    """The fold over the events of one customer: of all its payments and blocks, in the order of the log.

    Call `features` for each `payment.initiated` before `add`. Memory grows with the buckets that have a
    payment of the customer. None is forgotten, because imports append payments out of order.
    """

    __slots__ = ("_blocked", "_buckets", "_known", "_paid_by_card", "_starts")

    def __init__(self) -> None:
        self._known = False
        self._blocked = False
        self._paid_by_card = 0  # completed card payments without a full refund
        self._starts: list[datetime] = []  # of the buckets, sorted
        self._buckets: dict[
            datetime, dict[str, tuple[int, int]]
        ] = {}  # count and volume by currency

    def features(self, position: int, *, at: datetime, currency: str) -> RiskFeatures:
        """Return what a payment `at` a time sees if its first event has the `position`."""
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

    def add(self, event: AnyPaymentEvent | AnyCustomerEvent) -> None:
        """Apply the next event of the customer."""
        self._known = True
        match event:
            case PaymentInitiated(initiated_at=at, amount=amount):
                self._begin(at, amount)
            case PaymentProcessed(method=method) if method in CARDS:
                self._paid_by_card += 1
            case PaymentRefunded(method=method) if method in CARDS:
                self._paid_by_card -= event.refunded == event.amount
            case BlockPlaced() | BlockLifted():
                self._blocked = is_blocked_after(event)
            case _:
                pass  # features depend on no other event

    def _begin(self, at: datetime, amount: Money) -> None:
        start = bucket_of(at)
        bucket = self._buckets.get(start)
        if bucket is None:
            bucket = self._buckets[start] = {}
            insort(self._starts, start)
        count, volume = bucket.get(amount.currency, (0, 0))
        bucket[amount.currency] = count + 1, volume + amount.minor

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
