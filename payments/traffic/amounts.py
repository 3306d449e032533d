"""Parse amounts with a decimal point or a decimal comma."""

import re
from collections.abc import Callable, Iterable
from datetime import date
from enum import StrEnum
from typing import Final

from msgspec import Struct

from payments.domain.money import Money, MoneyError, exponent


class Decimals(StrEnum):
    """The decimal sign. The other sign, an apostrophe or a space may separate thousands."""

    POINT = "point"
    COMMA = "comma"


_BLANKS: Final = " '\u2019\u00a0\u202f"
_WRITTEN: Final = {
    decimals: re.compile(
        rf"(-?)(\d+|[1-9]\d{{0,2}}([{other}{_BLANKS}])\d{{3}}(?:\3\d{{3}})*)(?:[{mark}](\d+))?",
        re.ASCII,
    )
    for decimals, mark, other in ((Decimals.POINT, ".", ","), (Decimals.COMMA, ",", "."))
}
_EXAMPLES: Final = {
    Decimals.POINT: "1234.56 or 1,234.56",
    Decimals.COMMA: "1234,56 or 1.234,56",
}
_SEPARATORS: Final = str.maketrans("", "", f".,{_BLANKS}")


class Amounts(Struct, frozen=True):
    """A parser for the amounts in one file.

    `decimal_commas` returns whether amounts of the file have a decimal comma. It is called if
    `decimals` is None, for amounts such as 1.234 in a currency with three decimals.
    """

    decimals: Decimals | None = None
    decimal_commas: Callable[[], bool] = lambda: False

    def parse(self, text: str, currency: str, *, on: date) -> Money:
        """Return the amount on the day `on`. Raises MoneyError."""
        amount = parse(text, currency, self.decimals, on=on)
        if self.decimals is None and may_be_thousands(text, currency) and self.decimal_commas():
            raise MoneyError(
                "amount_ambiguous",
                f"{text} {currency} may be in thousands, as the file has decimal commas."
                " Add --decimal comma or --decimal point.",
            )
        return amount


def parse(text: str, currency: str, decimals: Decimals | None, *, on: date) -> Money:
    """Return the amount of a payment on the day `on`. Raises MoneyError.

    Without `decimals` only a plain amount is accepted, such as 1234.56.
    """
    if decimals is not None:
        return _parse(text, currency, decimals, on)
    try:
        return Money.parse(text, currency, on=on)
    except MoneyError as error:
        readable = [each for each in Decimals if _WRITTEN[each].fullmatch(text)]
        if error.code != "amount_not_a_number" or not readable:
            raise
        choice = readable[0] if len(readable) == 1 else "point or comma"
        raise MoneyError(error.code, f"{error} Try --decimal {choice}.") from error


def may_be_thousands(text: str, currency: str) -> bool:
    """Return whether the point in a plain amount may separate thousands, as in 1.234 dinars."""
    if exponent(currency) < 3:  # noqa: PLR2004 - otherwise it has too many decimals
        return False
    thousands = _readable(text, currency, Decimals.COMMA)
    return thousands is not None and thousands != _readable(text, currency, None)


def have_decimal_commas(amounts: Iterable[tuple[str, str]]) -> bool:
    """Return whether one of the amounts, given with currencies, has a decimal comma."""
    return any(
        _readable(text, currency, Decimals.COMMA) is not None
        and _readable(text, currency, None) is None
        for text, currency in amounts
    )


def _parse(text: str, currency: str, decimals: Decimals, on: date) -> Money:
    match = _WRITTEN[decimals].fullmatch(text)
    if match is None:
        raise MoneyError(
            "amount_not_a_number",
            f"{text[:40]!r} is not an amount such as {_EXAMPLES[decimals]}.",
        )
    sign, whole, _, fraction = match.groups(default="")
    digits = sign + whole.translate(_SEPARATORS)
    return Money.parse(f"{digits}.{fraction}" if fraction else digits, currency, on=on)


def _readable(text: str, currency: str, decimals: Decimals | None) -> Money | None:
    try:
        return parse(text, currency, decimals, on=date.min)
    except MoneyError:
        return None
