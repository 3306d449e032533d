"""The events that were recorded while a form about a payment was open."""

from collections.abc import Iterator
from typing import Final

from payments.aggregates import PAYMENT_AGGREGATE, HistoricPaymentEvent
from payments.domain.payment.events import PaymentNoteAdded, ReviewClaimed, ReviewReleased
from payments.domain.payment.state import Payment
from payments.events.reading import streams
from readmodels import labels

# These do not make a form stale. A note may hold news, so its author is named after the decision.
_HARMLESS: Final = (ReviewClaimed, ReviewReleased, PaymentNoteAdded)


def is_current(payment: Payment, *, since: int) -> bool:
    """Return whether a form that showed version `since` is still current."""
    return all(isinstance(record.event, _HARMLESS) for record in _recorded(payment, since=since))


def note_authors(payment: Payment, *, since: int, but: str) -> str:
    """Return the names of those who added notes after version `since`, except the actor `but`."""
    authors = {
        record.event.author: None
        for record in _recorded(payment, since=since)
        if isinstance(record.event, PaymentNoteAdded) and record.event.author != but
    }
    names = labels.people(authors)
    return " and ".join(names.get(each, each) for each in authors)


def _recorded(payment: Payment, *, since: int) -> Iterator[HistoricPaymentEvent]:
    history = streams.history(PAYMENT_AGGREGATE, payment.payment_id)
    return (record for record in history if since < record.version <= payment.version)
