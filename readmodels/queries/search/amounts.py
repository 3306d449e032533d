"""Read an amount as people write it: with a currency or without, in the notation of any country."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from babel.numbers import get_currency_symbol
from msgspec import Struct

from payments.domain.money import KNOWN_CURRENCIES, MAX_MINOR, exponent

_LONGEST: Final = 40
_MARKS: Final = str.maketrans({"\u066b": ".", "\u066c": ",", "\u2019": "'", "\u02bc": "'"})
_AMOUNT: Final = re.compile(
    r"(?P<before>[^\d.,]*?)\s*(?P<number>\d(?:[\d.,' ]*\d)?)\s*(?P<after>[^\d.,]*)"
)
# Thousands in groups of three, or as in India; then decimals.
_GROUPED: Final = re.compile(
    r"(?P<whole>\d{1,3}(?P<mark>[.,' ])\d{3}(?:(?P=mark)\d{3})*|\d{1,2}(?:,\d{2})+,\d{3})"
    r"(?:(?P<point>[.,])(?P<fraction>\d{1,3}))?"
)
_PLAIN: Final = re.compile(r"(?P<whole>0|[1-9]\d*)(?:[.,](?P<fraction>\d{1,3}))?")


def _symbols() -> Mapping[str, tuple[str, ...]]:
    codes: dict[str, list[str]] = defaultdict(list)
    for code in sorted(KNOWN_CURRENCIES):
        codes[code].append(code)
        symbol = get_currency_symbol(code, "en_US").upper()
        if symbol != code:
            codes[symbol].append(code)
    for symbol, code in (
        ("US$", "USD"),
        ("C$", "CAD"),
        ("RMB", "CNY"),
        ("FR", "CHF"),
        ("FR.", "CHF"),
    ):
        codes[symbol].append(code)
    for code in ("DKK", "ISK", "NOK", "SEK"):
        codes["KR"].append(code)
    return {symbol: tuple(each) for symbol, each in codes.items()}


_CURRENCIES: Final = _symbols()


class Reading(Struct, frozen=True):
    """What a number may mean: its digits before and after the decimal point."""

    whole: str
    fraction: str

    def minor(self, currency: str) -> int | None:
        """Return the amount in minor units, or None if the currency has no such amount."""
        decimals = exponent(currency)
        # Pages write yen without decimals, but people may type them.
        fraction = "" if self.fraction == "00" and decimals == 0 else self.fraction
        if len(fraction) > decimals:
            return None
        minor = int(self.whole + fraction.ljust(decimals, "0"))
        return minor if 0 < minor <= MAX_MINOR else None

    def __str__(self) -> str:
        return f"{int(self.whole):,}{'.' if self.fraction else ''}{self.fraction}"


class TypedAmount(Struct, frozen=True):
    """An amount in one of the `currencies`, or in any currency if there are none."""

    readings: tuple[Reading, ...]
    currencies: tuple[str, ...]

    @property
    def minor_units(self) -> tuple[tuple[str, int], ...]:
        """Return the currencies with the amounts to search for."""
        codes = self.currencies or sorted(KNOWN_CURRENCIES)
        pairs = {
            (code, minor)
            for code in codes
            for reading in self.readings
            if (minor := reading.minor(code)) is not None
        }
        return tuple(sorted(pairs))

    def __str__(self) -> str:
        number = " or ".join(map(str, self.readings))
        return f"{number} in {' or '.join(self.currencies) or 'any currency'}"


def read(text: str) -> TypedAmount | None:
    """Return the amount, None if the text is not an amount in any currency."""
    found = (
        _AMOUNT.fullmatch(plain_digits(text).translate(_MARKS)) if len(text) <= _LONGEST else None
    )
    if found is None or (found["before"] and found["after"]):
        return None
    symbol = (found["before"] or found["after"]).strip().upper()
    if symbol and symbol not in _CURRENCIES:
        return None
    readings = tuple(dict.fromkeys(_readings(found["number"])))
    amount = TypedAmount(readings, _CURRENCIES[symbol] if symbol else ())
    return amount if amount.minor_units else None


def plain_digits(text: str) -> str:
    """Return the text with ASCII digits."""
    return "".join(
        str(unicodedata.decimal(each)) if unicodedata.category(each) == "Nd" else each
        for each in text
    )


def _readings(number: str) -> Iterator[Reading]:
    # "1.250" is a thousand in Berlin, and little more than one dinar in Kuwait.
    grouped = _GROUPED.fullmatch(number)
    if grouped and grouped["point"] != (grouped["mark"] or ","):
        whole = re.sub(r"\D", "", grouped["whole"])
        yield Reading(whole, grouped["fraction"] or "")
    if plain := _PLAIN.fullmatch(number):
        yield Reading(plain["whole"], plain["fraction"] or "")
