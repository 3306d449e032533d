"""Handle forms that were open for a while, and the events that were recorded since then."""

from collections.abc import Iterable, Iterator
from typing import Final

from payments.aggregates import PAYMENT_AGGREGATE, HistoricPaymentEvent
from payments.application.dispatch import CommandContext, NotAtVersion, Outcome
from payments.domain.payment.events import PaymentNoteAdded, ReviewClaimed, ReviewReleased
from payments.domain.payment.state import Payment
from payments.events.reading import streams
from readmodels import labels
from readmodels.admin.review import actions
from readmodels.admin.review.actions import StaffCommand

# Claims and notes may be recorded while a decision is handled. A few attempts are enough.
_ATTEMPTS: Final = 5
# These do not make a form stale. A note may be news, so its author is named after the decision.
_HARMLESS: Final = (ReviewClaimed, ReviewReleased, PaymentNoteAdded)


def handle(
    command: StaffCommand, context: CommandContext, *, note: str | None, version: int
) -> Outcome:
    """Carry out the command of a form that showed `version`, if the form is still current.

    Raises NotPermitted, PaymentError, KeyReused and StaleVersion.
    """
    attempt = 1
    while True:
        try:
            return actions.handle(command, context, note=note, expected_version=version)
        except NotAtVersion as error:
            now = error.payment
            if (
                now is None
                or attempt == _ATTEMPTS
                or not is_harmless(_recorded(now, since=version))
            ):
                raise
            version = now.version
            attempt += 1


def is_harmless(records: Iterable[HistoricPaymentEvent]) -> bool:
    """Return whether a form is still current after these events."""
    return all(isinstance(record.event, _HARMLESS) for record in records)


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
