"""Payment methods, and the limit of each per payment and currency."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from payments.domain.money import Money


class Method(StrEnum):
    CREDIT_CARD = "credit_card"
    DEBIT_CARD = "debit_card"
    BANK_TRANSFER = "bank_transfer"
    WALLET = "wallet"


CARDS: Final = frozenset({Method.CREDIT_CARD, Method.DEBIT_CARD})

# The highest amount of one payment. A missing currency has no limit: the risk policy sends payments in
# unknown currencies to review.
LIMITS: Final[Mapping[Method, Mapping[str, Money]]] = {
    method: {currency: Money(minor, currency) for currency, minor in limits.items()}
    for method, limits in {
        Method.CREDIT_CARD: {
            "USD": 25_000_00,
            "EUR": 25_000_00,
            "GBP": 20_000_00,
            "JPY": 3_500_000,
        },
        Method.DEBIT_CARD: {"USD": 10_000_00, "EUR": 10_000_00, "GBP": 8_000_00, "JPY": 1_500_000},
        Method.BANK_TRANSFER: {
            "USD": 1_000_000_00,
            "EUR": 1_000_000_00,
            "GBP": 1_000_000_00,
            "JPY": 150_000_000,
        },
        Method.WALLET: {"USD": 5_000_00, "EUR": 5_000_00, "GBP": 4_000_00, "JPY": 700_000},
    }.items()
}
