"""The amount of the refund form: its initial value, and earlier refunds."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.contrib.humanize.templatetags.humanize import naturaltime

from payments.aggregates import HistoricPaymentEvent
from payments.domain.payment.events import PaymentRefunded
from payments.domain.payment.state import Payment
from readmodels import labels

_MOST_SHOWN: Final = 5
_MOMENT: Final = timedelta(minutes=1)


def initial_amount(payment: Payment) -> Decimal | None:
    """Return the initial amount of the form, None if the person must type one.

    After a first refund, the browser's Back button and one click could refund the rest. One click
    must not refund a payment that needed two approvals, either.
    """
    four_eyes = payment.risk is not None and payment.risk.four_eyes
    return None if payment.refunded is not None or four_eyes else payment.refundable.decimal


def earlier_refunds(
    payment: Payment, history: Sequence[HistoricPaymentEvent], person: str, now: datetime
) -> Iterator[str]:
    """Yield sentences about who refunded how much, and when. `person` is the reader's actor id."""
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
