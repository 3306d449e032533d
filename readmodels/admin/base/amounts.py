"""Read amounts in the forms that people type, and name the accepted forms."""

import re
from typing import Final

from babel.numbers import get_currency_symbol

from payments.domain import money
from payments.domain.money import EXAMPLES, Money, MoneyError, exponent

_THOUSANDS: Final = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")


def accepted(currency: str) -> str:
    """Return the accepted forms of an amount as text, such as "19.99 or €19.99"."""
    example = EXAMPLES[exponent(currency)]
    return f"{example} or {Money.parse(example, currency, refund=True).formatted()}"


def parse(text: str, currency: str) -> Money:
    """Return an amount over 0. Raises MoneyError, which names the accepted forms."""
    minor = minor_units(text, currency)
    if minor < 1:
        raise MoneyError("amount_not_positive", "Enter an amount over 0.")
    return Money.checked(minor, currency, refund=True)


def minor_units(text: str, currency: str) -> int:
    """Read a plain decimal, or an amount as pages show it, with or without its currency.

    "1,000" is accepted only for a currency without decimals, because in some countries it means 1.
    Raises MoneyError, which names the accepted forms.
    """
    number = _without_currency(text.strip(), currency)
    try:
        minor = money.minor_units(number.replace(",", ""), currency)
    except MoneyError as error:
        # The original message would show the number without its commas.
        if error.code == "amount_not_a_number" or (
            error.code == "amount_too_precise" and "," in number
        ):
            raise _not_a_number(text, currency) from error
        if error.code == "amount_too_precise":
            raise MoneyError(error.code, f"{error} Write {accepted(currency)}.") from error
        raise
    shown = f"{Money(minor, currency).decimal:,f}"
    if "," in number and number != shown:
        if _THOUSANDS.fullmatch(number):
            ambiguous = f"{text[:40]!r} is ambiguous in {currency}."
            raise MoneyError(
                "amount_not_a_number", f"{ambiguous} Write {number.replace(',', '')} or {shown}."
            )
        raise _not_a_number(text, currency)
    return minor


def _without_currency(text: str, currency: str) -> str:
    for sign in (get_currency_symbol(currency, "en_US"), currency):
        if text.startswith(sign):
            return text.removeprefix(sign).lstrip()
    return text.removesuffix(currency).rstrip()


def _not_a_number(text: str, currency: str) -> MoneyError:
    return MoneyError(
        "amount_not_a_number",
        f"{text[:40]!r} is not a decimal number in {currency}. Write {accepted(currency)}.",
    )
