"""Money: integer minor units of one currency, no floats, no sums across currencies."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final, Self

from babel.core import Locale, get_global
from babel.numbers import get_currency_symbol, parse_pattern
from msgspec import Struct

# The twelve digits of an amount in ISO 8583. A bigint then holds the sum of nine million payments.
MAX_MINOR: Final = 999_999_999_999


class MoneyError(ValueError):
    """An amount or a currency is not valid. `code` is stable, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class CurrencyMismatch(MoneyError):
    """A comparison or sum mixes two currencies."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__("currency_mismatch", f"{left} and {right} cannot be compared or added.")


def _legal_tender() -> frozenset[str]:
    """Return the ISO 4217 codes that are legal tender somewhere, according to Babel's CLDR data."""
    return frozenset(
        code
        for history in get_global("territory_currencies").values()
        for code, _start, end, tender in history
        if tender and end is None
    )


# New payments can use the active currencies of ISO 4217, list one, without funds, units of account,
# metals and test codes. CLDR's legal tender differs from it in a few codes. A test compares both lists.
_ACTIVE_BUT_NO_TENDER: Final = frozenset({"SVC", "VED"})
# The first day on which no new payment may use the currency: its replacement, such as the euro, was in use
# by then. Earlier payments can be read, refunded and imported.
RETIRED: Final[Mapping[str, date]] = {
    **dict.fromkeys(
        "ATS BEF DEM ESP FIM FRF GRD IEP ITL LUF NLG PTE".split(),  # noqa: SIM905
        date(2002, 1, 1),
    ),
    "SIT": date(2007, 1, 1),
    "CYP": date(2008, 1, 1),
    "MTL": date(2008, 1, 1),
    "SKK": date(2009, 1, 1),
    "EEK": date(2011, 1, 1),
    "LVL": date(2014, 1, 1),
    "LTL": date(2015, 1, 1),
    "BYR": date(2017, 1, 1),
    "STD": date(2018, 1, 1),
    "MRO": date(2018, 7, 1),
    "VEF": date(2018, 8, 20),
    "CUC": date(2021, 1, 1),
    "HRK": date(2023, 1, 1),
    "SLL": date(2024, 1, 1),
    "ZWL": date(2024, 9, 1),
    "ANG": date(2025, 7, 1),
    "BGN": date(2026, 1, 1),
}
CURRENCIES: Final = (_legal_tender() | _ACTIVE_BUT_NO_TENDER) - RETIRED.keys()
KNOWN_CURRENCIES: Final = CURRENCIES | RETIRED.keys()

# The decimals of ISO 4217, which define the minor unit. CLDR lists the decimals that people still
# write, sometimes none. With these, amounts in Serbian dinar would be wrong by a factor of 100, in
# Iraqi dinar by 1,000.
_NO_DECIMALS: Final = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"  # noqa: SIM905
    " BEF BYR ESP GRD ITL LUF PTE".split()
)
_THREE_DECIMALS: Final = frozenset("BHD IQD JOD KWD LYD OMR TND".split())  # noqa: SIM905

# Stricter than Decimal, which also accepts "1_0", "1e3", " 5" and digits of any script.
_PLAIN_DECIMAL: Final = re.compile(r"(-?)(?=[.0-9])([0-9]*)(?:\.([0-9]+))?")
_GROUPS_OF_THOUSANDS: Final = re.compile(r"-?[0-9]{1,3}(?:\.[0-9]{3})+")
EXAMPLES: Final = {0: "1234", 2: "1234.56", 3: "1234.567"}

_NO_BREAK_SPACE: Final = "\N{NO-BREAK SPACE}"


def exponent(currency: str) -> int:
    """Return the number of decimals of `currency`. Raises MoneyError if it was never accepted."""
    if currency not in KNOWN_CURRENCIES:
        capitals = " Write it in capitals." if currency.upper() in KNOWN_CURRENCIES else ""
        raise MoneyError(
            "unknown_currency", f"{currency!r} is not an ISO 4217 currency in use.{capitals}"
        )
    if currency in _NO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


def minor_units(text: str, currency: str) -> int:
    """Return the minor units of a decimal like "11.77".

    It may have at most the currency's decimals. Final zeros count, because half of Europe writes a
    thousand as "1.000". Raises MoneyError.
    """
    decimals = exponent(currency)
    match = _PLAIN_DECIMAL.fullmatch(text)
    if match is None:
        raise MoneyError(
            "amount_not_a_number",
            f"{text[:40]!r} is not a decimal number such as {EXAMPLES[decimals]}.",
        )
    sign, whole, fraction = match.groups(default="")
    if len(fraction) > decimals:
        hint = (
            " Write thousands without a separator." if _GROUPS_OF_THOUSANDS.fullmatch(text) else ""
        )
        excess = (
            f"more than the {decimals} decimals of {currency}"
            if decimals
            else f"decimals, but {currency} has none"
        )
        raise MoneyError("amount_too_precise", f"{text[:40]} has {excess}.{hint}")
    # Scaled as text, because scaling a Decimal rounds to the precision of its context. Truncated,
    # because parsing thousands of digits is slow and one digit too many is refused as well.
    digits = (whole.lstrip("0") + fraction.ljust(decimals, "0"))[: len(str(MAX_MINOR)) + 1]
    return int(f"{sign}{digits or 0}")


class Money(Struct, frozen=True, gc=False):
    """`minor` units of `currency`: Money(1999, "EUR") is EUR 19.99.

    The constructor checks nothing, because stored events are facts. Input from outside must use `checked`
    or `parse`.
    """

    minor: int
    currency: str

    @classmethod
    def checked(
        cls, minor: int, currency: str, *, refund: bool = False, on: date | None = None
    ) -> Self:
        """Return the amount: 1 to MAX_MINOR minor units of a currency in use. Raises MoneyError.

        For a past payment, the currency must have been in use on the day `on`. A `refund` may have
        any currency that was ever accepted.
        """
        exponent(currency)
        retired = RETIRED.get(currency)
        if retired is not None and not refund and (on is None or on >= retired):
            raise MoneyError(
                "unknown_currency",
                f"{currency} has not been accepted for payments since {retired}.",
            )
        if minor < 1:
            raise MoneyError("amount_not_positive", "The amount must be at least one minor unit.")
        if minor > MAX_MINOR:
            raise MoneyError(
                "amount_too_large", f"The amount must be at most {MAX_MINOR} minor units."
            )
        return cls(minor, currency)

    @classmethod
    def parse(
        cls, text: str, currency: str, *, refund: bool = False, on: date | None = None
    ) -> Self:
        """Read a decimal like "11.77" in the currency. `refund` and `on` are those of `checked`.

        Raises MoneyError.
        """
        return cls.checked(minor_units(text, currency), currency, refund=refund, on=on)

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, with exactly the currency's decimals."""
        return Decimal(f"{self.minor}E-{exponent(self.currency)}")

    def __str__(self) -> str:
        return f"{self.currency} {self.decimal:,f}"

    def formatted(self, locale: str = "en_US") -> str:
        """Return the amount in the format of `locale`: "$1,999.00", or "CHF 5.00" with a no-break space."""
        pattern = parse_pattern(Locale.parse(locale).currency_formats["standard"].pattern)
        decimals = exponent(self.currency)
        pattern.frac_prec = (decimals, decimals)
        written = pattern.apply(self.decimal, locale, currency=self.currency, currency_digits=False)
        return _spaced(str(written), get_currency_symbol(self.currency, locale))

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


def _spaced(written: str, symbol: str) -> str:
    """Return the amount with a no-break space wherever a digit touches a letter of the symbol.

    CLDR's currencySpacing requires it, but Babel omits it. A sign such as "$" touches the digits.
    """
    before, _, after = written.partition(symbol)
    if before[-1:].isdigit() and not _is_sign(symbol[0]):
        before += _NO_BREAK_SPACE
    if after[:1].isdigit() and not _is_sign(symbol[-1]):
        after = _NO_BREAK_SPACE + after
    return before + symbol + after


def _is_sign(character: str) -> bool:
    return unicodedata.category(character)[0] in "SZ"
