"""The amount of the refund form: its initial value, its accepted forms, and earlier refunds."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from babel.numbers import get_currency_symbol
from django.contrib.humanize.templatetags.humanize import naturaltime

from payments.aggregates import HistoricPaymentEvent
from payments.domain.money import EXAMPLES, Money, MoneyError, exponent
from payments.domain.payment.events import PaymentRefunded
from payments.domain.payment.state import Payment
from readmodels import labels

_MOST_SHOWN: Final = 5
_MOMENT: Final = timedelta(minutes=1)


def accepted(currency: str) -> str:
    """Return the accepted forms of an amount as text, such as "19.99 or €19.99"."""
    example = EXAMPLES[exponent(currency)]
    return f"{example} or {Money.parse(example, currency, refund=True).formatted()}"


def initial_amount(payment: Payment) -> Decimal | None:
    """Return the initial amount of the form, None if the person must type one.

    After a first refund, the browser's Back and one click would refund the rest. A payment that two
    people had to approve must not be refunded by one click either.
    """
    four_eyes = payment.risk is not None and payment.risk.four_eyes
    return None if payment.refunded is not None or four_eyes else payment.refundable.decimal


def earlier_refunds(
    payment: Payment, history: Sequence[HistoricPaymentEvent], person: str, now: datetime
) -> Iterator[str]:
    """Yield sentences on who refunded how much, and when. `person` is the actor id of the reader."""
    if payment.refunded is None:
        return
    refunds = [
        (record.metadata.actor, record.event)
        for record in history
        if isinstance(record.event, PaymentRefunded)
    ][-_MOST_SHOWN:]
    names = labels.people(actor for actor, _ in refunds)
    for actor, event in refunds:
        who = "You" if actor == person else names.get(actor, actor)
        ago = "a moment ago" if now - event.at < _MOMENT else naturaltime(event.at)
        amount = event.refund.formatted()
        yield f"{who} refunded {amount} {ago} ({event.at:%Y-%m-%d %H:%M} UTC)."
    yield (
        f"Refunded so far: {payment.refunded.formatted()} of {payment.amount.formatted()}."
        f" {payment.refundable.formatted()} can still be refunded."
    )


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
