"""Generate realistic payments: returning customers, mostly small amounts, some retries."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from payments.domain.cards import Brand, PresentedCard
from payments.domain.methods import CARDS, Method
from payments.domain.money import Money

_CUSTOMERS: Final = 2_000
_CURRENCIES: Final = {"USD": 60, "EUR": 25, "GBP": 10, "JPY": 5}
_METHODS: Final = {
    Method.CREDIT_CARD: 50,
    Method.DEBIT_CARD: 25,
    Method.WALLET: 15,
    Method.BANK_TRANSFER: 10,
}
_BRANDS: Final = {Brand.VISA: 55, Brand.MASTERCARD: 35, Brand.AMERICAN_EXPRESS: 10}
# Log-normal, in major units of a dollar-like currency: half of all payments are under 40.
_TYPICAL: Final = 40.0
_SPREAD: Final = 1.2
UNITS_OF_A_DOLLAR: Final = {"USD": 100, "EUR": 93, "GBP": 79, "JPY": 150}
# One attempt in this many is repeated, exceeds the limit of its method, or is risky.
_REPEATED: Final = 50
_OVER_THE_LIMIT: Final = 100
_RISKY: Final = 120


class Attempt(Struct, frozen=True):
    """A client's request. A retry equals the earlier attempt, including its key."""

    key: str
    customer_reference: str
    amount: Money
    method: Method
    reference: str
    card: PresentedCard | None = None


def attempts(seed: int) -> Iterator[Attempt]:
    """Yield an endless sequence of attempts, which depends only on the seed."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    number = 0
    while True:
        number += 1
        attempt = _attempt(rng, f"{seed}-{number}")
        yield attempt
        if rng.randrange(_REPEATED) == 0:
            yield attempt


def moments(seed: int, *, until: datetime, over: timedelta) -> Iterator[datetime]:
    """Yield random times, mostly by day, between `until - over` and `until`."""
    rng = random.Random(seed)  # noqa: S311
    while True:
        at = until - over * rng.random()
        by_day = 7 <= at.astimezone(UTC).hour < 23  # noqa: PLR2004
        if by_day or rng.random() < 0.2:  # noqa: PLR2004
            yield at


def _attempt(rng: random.Random, name: str) -> Attempt:
    # Few customers pay often, many rarely.
    customer = f"customer-{int(_CUSTOMERS * rng.random() ** 2)}"
    currency = rng.choices(list(_CURRENCIES), list(_CURRENCIES.values()))[0]
    method = rng.choices(list(_METHODS), list(_METHODS.values()))[0]
    minor = round(rng.lognormvariate(0, _SPREAD) * _TYPICAL * UNITS_OF_A_DOLLAR[currency])
    if rng.randrange(_RISKY) == 0:
        # This is a new customer's card payment over the review limit, so it joins the queue.
        customer, method, currency = f"newcomer-{name}", Method.CREDIT_CARD, "USD"
        minor = rng.randrange(11_000_00, 24_000_00)
    elif rng.randrange(_OVER_THE_LIMIT) == 0:
        method, currency, minor = Method.CREDIT_CARD, "USD", rng.randrange(25_000_01, 90_000_00)
    return Attempt(
        key=f"simulated-{name}",
        customer_reference=customer,
        amount=Money(max(minor, 1), currency),
        method=method,
        reference=f"order-{name}",
        card=_card(customer) if method in CARDS else None,
    )


def _card(customer: str) -> PresentedCard:
    """Return the customer's card, from a separate generator so that later draws do not change."""
    rng = random.Random(customer)  # noqa: S311
    brand = rng.choices(list(_BRANDS), list(_BRANDS.values()))[0]
    return PresentedCard(token=f"tok_{customer}", brand=brand, last4=f"{rng.randrange(10_000):04}")
