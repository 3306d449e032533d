"""A payment's history in words, one entry for each event of its stream."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from payments.aggregates import HistoricPaymentEvent
from payments.customers.models import Note
from payments.domain.payment.events import (
    AnyPaymentEvent,
    PaymentApproved,
    PaymentCancelled,
    PaymentExpired,
    PaymentFailed,
    PaymentFirstApproved,
    PaymentFlaggedForReview,
    PaymentInitiated,
    PaymentProcessed,
    PaymentRefunded,
    PaymentRejected,
    ReviewClaimed,
    ReviewEscalated,
    ReviewReleased,
)
from payments.domain.payment.state import Payment
from readmodels.admin.base import fragments


class Entry(Struct):
    event_type: str
    title: str
    details: tuple[str, ...]
    by: str
    at: datetime
    version: int
    position: int
    icon: str  # of Material Symbols, which unfold brings along
    colour: str


def of(payment: Payment, history: Sequence[HistoricPaymentEvent]) -> list[Entry]:
    notes = Note.objects.filter(payment_id=payment.payment_id)
    return entries(history, {note.pk: note for note in notes})


def entries(history: Sequence[HistoricPaymentEvent], notes: Mapping[UUID, Note]) -> list[Entry]:
    """`notes` are those of the payment by id; one that is missing was erased."""
    names = fragments.people(
        actor for record in history for actor in (record.metadata.actor, _holder(record)) if actor
    )
    return [
        Entry(
            record.event.event_type,
            title,
            (*details, *_taken(record, names), *_note(record.event, notes)),
            by=names.get(record.metadata.actor, record.metadata.actor),
            at=record.event.at,
            version=record.version,
            position=record.position,
            icon=LOOKS[type(record.event)][0],
            colour=LOOKS[type(record.event)][1],
        )
        for record in history
        for title, details in [fragments.happened(record.event)]
    ]


LOOKS: Mapping[type[AnyPaymentEvent], tuple[str, str]] = {
    PaymentInitiated: ("login", "text-blue-700 dark:text-blue-400"),
    PaymentProcessed: ("check_circle", "text-green-700 dark:text-green-400"),
    PaymentFailed: ("error", "text-red-700 dark:text-red-400"),
    PaymentFlaggedForReview: ("flag", "text-orange-700 dark:text-orange-400"),
    ReviewClaimed: ("person_pin", "text-blue-700 dark:text-blue-400"),
    ReviewReleased: ("lock_open", "text-blue-700 dark:text-blue-400"),
    ReviewEscalated: ("keyboard_double_arrow_up", "text-orange-700 dark:text-orange-400"),
    PaymentFirstApproved: ("thumb_up", "text-blue-700 dark:text-blue-400"),
    PaymentApproved: ("thumb_up", "text-green-700 dark:text-green-400"),
    PaymentRejected: ("block", "text-red-700 dark:text-red-400"),
    PaymentExpired: ("timer_off", "text-red-700 dark:text-red-400"),
    PaymentCancelled: ("cancel", "text-blue-700 dark:text-blue-400"),
    PaymentRefunded: ("undo", "text-orange-700 dark:text-orange-400"),
}


def _holder(record: HistoricPaymentEvent) -> str | None:
    """From whom somebody else took a payment."""
    match record.event:
        case ReviewReleased(reviewer=reviewer) if reviewer != record.metadata.actor:
            return reviewer
    return None


def _taken(record: HistoricPaymentEvent, names: Mapping[str, str]) -> Iterator[str]:
    if holder := _holder(record):
        yield f"Taken from {names.get(holder, holder)}"


_WITH_NOTES = ReviewEscalated | PaymentFirstApproved | PaymentApproved | PaymentRejected


def _note(event: AnyPaymentEvent, notes: Mapping[UUID, Note]) -> Iterator[str]:
    if isinstance(event, _WITH_NOTES) and event.note is not None:
        note = notes.get(event.note.note_id)
        if note is None:
            yield "This note was erased."
        else:
            yield f"“{note.text}”"
            if note.digest != event.note.digest:
                yield "This is not the note that was written with the decision: its hash differs."
