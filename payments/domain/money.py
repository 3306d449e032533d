"""Money: integer minor units of one currency, no floats, no sums across currencies."""

from decimal import Decimal, InvalidOperation
from typing import Final, Self

from babel.core import get_global
from babel.numbers import format_currency, get_currency_precision
from msgspec import Struct

# ISO 8583 gives an amount twelve digits. It also keeps a sum of nine million payments inside a
# bigint.
MAX_MINOR: Final = 999_999_999_999


class MoneyError(ValueError):
    """An amount or a currency that cannot be money. `code` is stable, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class CurrencyMismatch(MoneyError):
    """Two currencies met in one comparison or sum."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__("currency_mismatch", f"{left} and {right} cannot be compared or added.")


def _legal_tender() -> frozenset[str]:
    """The ISO 4217 codes that are legal tender somewhere, by Babel's Unicode CLDR data."""
    return frozenset(
        code
        for history in get_global("territory_currencies").values()
        for code, _start, end, tender in history
        if tender and end is None
    )


CURRENCIES: Final = _legal_tender()
_EXPONENTS: Final = {code: get_currency_precision(code) for code in CURRENCIES}


def exponent(currency: str) -> int:
    """How many decimals `currency` has. Raises MoneyError for a currency that is not in use."""
    try:
        return _EXPONENTS[currency]
    except KeyError:
        raise MoneyError(
            "unknown_currency", f"{currency!r} is not an ISO 4217 currency in use."
        ) from None


class Money(Struct, frozen=True):
    """`minor` units of `currency`: Money(1999, "EUR") is EUR 19.99.

    Built without checks, because stored events are facts. What comes from outside goes through
    `checked` or `parse`.
    """

    minor: int
    currency: str

    @classmethod
    def checked(cls, minor: int, currency: str) -> Self:
        """Money as a payment may have it: a known currency, at least 1. Raises MoneyError."""
        exponent(currency)
        if minor < 1:
            raise MoneyError("amount_not_positive", "The amount must be at least one minor unit.")
        if minor > MAX_MINOR:
            raise MoneyError(
                "amount_too_large", f"The amount must be at most {MAX_MINOR} minor units."
            )
        return cls(minor, currency)

    @classmethod
    def parse(cls, text: str, currency: str) -> Self:
        """Read a decimal like "11.77", refusing more decimals than the currency has.

        Raises MoneyError.
        """
        decimals = exponent(currency)
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise MoneyError("amount_not_a_number", f"{text!r} is not a decimal number.") from None
        # The length is checked before scaling: "1E+999999" is a short way to write a very long
        # integer.
        if not value.is_finite() or value.adjusted() > len(str(MAX_MINOR)):
            raise MoneyError("amount_not_a_number", f"{text!r} is not an amount.")
        minor = value.scaleb(decimals)
        if minor != minor.to_integral_value():
            raise MoneyError(
                "amount_too_precise", f"{text} has more than the {decimals} decimals of {currency}."
            )
        return cls.checked(int(minor), currency)

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, with exactly the currency's decimals."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def __str__(self) -> str:
        return f"{self.currency} {self.decimal:,f}"

    def formatted(self, locale: str = "en_US") -> str:
        """The amount as people of `locale` write it, such as "$1,999.00"."""
        return format_currency(self.decimal, self.currency, locale=locale)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.minor >= self._same(other)

    def _same(self, other: "Money") -> int:
        if self.currency != other.currency:
            raise CurrencyMismatch(self.currency, other.currency)
        return other.minor
