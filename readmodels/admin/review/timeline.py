"""The history on a payment's page: one entry for each event of the stream."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from msgspec import Struct

from payments.aggregates import HistoricPaymentEvent
from payments.customers.models import Note
from payments.domain.payment.events import (
    AnyDisputeEvent,
    AnyPaymentEvent,
    NoteRef,
    PaymentApproved,
    PaymentCancelled,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentDisputeResponded,
    PaymentDisputeUpdated,
    PaymentExpired,
    PaymentFailed,
    PaymentFirstApproved,
    PaymentFlaggedForReview,
    PaymentInitiated,
    PaymentNoteAdded,
    PaymentProcessed,
    PaymentRefunded,
    PaymentRejected,
    ReviewAssigned,
    ReviewClaimed,
    ReviewEscalated,
    ReviewReleased,
    ReviewResumed,
    ReviewSnoozed,
)
from payments.domain.payment.state import Payment
from readmodels import labels

_BLUE: Final = "text-blue-700 dark:text-blue-400"
_GREEN: Final = "text-green-700 dark:text-green-400"
_ORANGE: Final = "text-orange-700 dark:text-orange-400"
_RED: Final = "text-red-700 dark:text-red-400"

ERASED: Final = "This note was erased."
CHANGED: Final = "This note was changed after it was recorded: its hash differs."


class Entry(Struct):
    event_type: str
    title: str
    details: tuple[str, ...]
    by: str
    at: datetime
    version: int
    position: int
    icon: str
    color: str


def load(payment: Payment, history: Sequence[HistoricPaymentEvent]) -> list[Entry]:
    return entries(history, notes_of(payment))


def notes_of(payment: Payment) -> dict[UUID, Note]:
    """Return the notes on the payment by id, without erased ones."""
    return {note.pk: note for note in Note.objects.filter(payment_id=payment.payment_id)}


def entries(
    history: Sequence[HistoricPaymentEvent], notes: Mapping[UUID, Note], *, revealed: bool = False
) -> list[Entry]:
    """Return the entries, oldest first. `notes` come from `notes_of`.

    References are masked unless the customer is `revealed`.
    """
    names = labels.people(
        actor
        for record in history
        for actor in (record.metadata.actor, _holder(record), _assignee(record))
    )
    return [
        Entry(
            record.event.event_type,
            title,
            (
                *details,
                *_takeover(record, names),
                *_assignment(record, names),
                *_note(record.event, notes),
            ),
            by=names.get(record.metadata.actor, record.metadata.actor),
            at=record.event.at,
            version=record.version,
            position=record.position,
            icon=icon,
            color=color,
        )
        for record in history
        for title, details in [labels.describe(record.event, revealed=revealed)]
        for icon, color in [look(record.event)]
    ]


def look(  # noqa: C901, PLR0912 - a case for each event
    event: AnyPaymentEvent,
) -> tuple[str, str]:
    """Return the name of a Material Symbol and the CSS classes for its color."""
    match event:
        case PaymentInitiated():
            return "login", _BLUE
        case PaymentProcessed():
            return "check_circle", _GREEN
        case PaymentFailed():
            return "error", _RED
        case PaymentFlaggedForReview():
            return "flag", _ORANGE
        case ReviewClaimed():
            return "person_pin", _BLUE
        case ReviewReleased():
            return "lock_open", _BLUE
        case ReviewSnoozed():
            return "snooze", _ORANGE
        case ReviewResumed():
            return "alarm", _BLUE
        case ReviewAssigned():
            return "assignment_ind", _BLUE
        case ReviewEscalated():
            return "keyboard_double_arrow_up", _ORANGE
        case PaymentFirstApproved():
            return "thumb_up", _BLUE
        case PaymentApproved():
            return "thumb_up", _GREEN
        case PaymentRejected():
            return "block", _RED
        case PaymentExpired():
            return "timer_off", _RED
        case PaymentCancelled():
            return "cancel", _BLUE
        case PaymentRefunded():
            return "undo", _ORANGE
        case PaymentNoteAdded():
            return "sticky_note_2", _BLUE
        case (
            PaymentDisputed()
            | PaymentDisputeUpdated()
            | PaymentDisputeResponded()
            | PaymentDisputeClosed()
        ):
            return _dispute_look(event)
        case _:
            assert_never(event)


def _dispute_look(event: AnyDisputeEvent) -> tuple[str, str]:
    match event:
        case PaymentDisputed():
            return "gavel", _ORANGE
        case PaymentDisputeUpdated():
            return "edit_note", _ORANGE
        case PaymentDisputeResponded():
            return "reply", _BLUE
        case PaymentDisputeClosed(lost=lost):
            return "gavel", _RED if lost.minor else _GREEN
        case _:
            assert_never(event)


def _holder(record: HistoricPaymentEvent) -> str | None:
    """Return the reviewer whose claim another person released, or None."""
    match record.event:
        case ReviewReleased(reviewer=reviewer) if reviewer != record.metadata.actor:
            return reviewer
    return None


def _takeover(record: HistoricPaymentEvent, names: Mapping[str, str]) -> Iterator[str]:
    if holder := _holder(record):
        yield f"Taken from {names.get(holder, holder)}"


def _assignee(record: HistoricPaymentEvent) -> str | None:
    return record.event.to if isinstance(record.event, ReviewAssigned) else None


def _assignment(record: HistoricPaymentEvent, names: Mapping[str, str]) -> Iterator[str]:
    if assignee := _assignee(record):
        yield f"To {names.get(assignee, assignee)}"


def _note(event: AnyPaymentEvent, notes: Mapping[UUID, Note]) -> Iterator[str]:
    reference: NoteRef | None = getattr(event, "note", None)
    if reference is not None:
        note = notes.get(reference.note_id)
        if note is None:
            yield ERASED
        else:
            yield f"“{note.text}”"
            if note.digest != reference.digest:
                yield CHANGED
