"""Read amounts in the forms that people type, and name the accepted forms."""

from babel.numbers import get_currency_symbol

from payments.domain.money import EXAMPLES, Money, MoneyError, exponent


def accepted(currency: str) -> str:
    """Return the accepted forms of an amount as text, such as "19.99 or €19.99"."""
    example = EXAMPLES[exponent(currency)]
    return f"{example} or {Money.parse(example, currency, refund=True).formatted()}"


def parse(text: str, currency: str) -> Money:
    """Read a plain decimal, or an amount as pages show it, with or without its currency.

    "1,000" is accepted only for a currency without decimals, because it may mean one elsewhere.
    Raises MoneyError, which names the accepted forms.
    """
    number = _without_currency(text.strip(), currency)
    try:
        money = Money.parse(number.replace(",", ""), currency, refund=True)
    except MoneyError as error:
        # The error's own message would name the number without its commas.
        if error.code == "amount_not_a_number" or (
            error.code == "amount_too_precise" and "," in number
        ):
            raise _not_a_number(text, currency) from error
        if error.code == "amount_too_precise":
            raise MoneyError(error.code, f"{error} Write {accepted(currency)}.") from error
        raise
    if "," in number and number != f"{money.decimal:,f}":
        raise _not_a_number(text, currency)
    return money


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
