"""A payment's history in words, one entry for each event of its stream."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import assert_never

from msgspec import Struct

from payments.domain.events import (
    AnyPaymentEvent,
    PaymentApproved,
    PaymentFailed,
    PaymentFlaggedForReview,
    PaymentInitiated,
    PaymentProcessed,
    PaymentRejected,
)
from payments.events.store import RecordedEvent
from readmodels.admin import words


class Entry(Struct):
    title: str
    details: tuple[str, ...]
    by: str
    at: datetime
    version: int
    position: int
    icon: str  # of Material Symbols, which unfold brings along
    colour: str


def entries(history: Sequence[RecordedEvent], notes: Mapping[object, str]) -> list[Entry]:
    """`notes` are the texts by id; one that is missing was erased."""
    names = words.people(record.metadata.actor for record in history)
    return [
        Entry(
            *_words(record.event, notes),
            by=names.get(record.metadata.actor, record.metadata.actor),
            at=record.event.at,
            version=record.version,
            position=record.position,
            icon=_LOOKS[type(record.event)][0],
            colour=_LOOKS[type(record.event)][1],
        )
        for record in history
    ]


_LOOKS: Mapping[type[AnyPaymentEvent], tuple[str, str]] = {
    PaymentInitiated: ("login", "text-blue-700 dark:text-blue-400"),
    PaymentProcessed: ("check_circle", "text-green-700 dark:text-green-400"),
    PaymentFailed: ("error", "text-red-700 dark:text-red-400"),
    PaymentFlaggedForReview: ("flag", "text-orange-700 dark:text-orange-400"),
    PaymentApproved: ("thumb_up", "text-green-700 dark:text-green-400"),
    PaymentRejected: ("block", "text-red-700 dark:text-red-400"),
}


def _words(event: AnyPaymentEvent, notes: Mapping[object, str]) -> tuple[str, tuple[str, ...]]:
    match event:
        case PaymentInitiated():
            reference = f" as {event.reference}" if event.reference else ""
            method = words.plain(event.method).lower()
            return "Submitted", (f"{event.amount.formatted()} by {method}{reference}",)
        case PaymentProcessed():
            risk = event.risk
            return "Completed", () if risk is None else (f"Risk {risk.score}, {risk.band}",)
        case PaymentFailed():
            limit = f" ({event.limit.formatted()})" if event.limit else ""
            return "Failed", (words.plain(event.reason) + limit,)
        case PaymentFlaggedForReview():
            fired = tuple(
                f"{words.plain(rule.reason)} ({rule.points} points)" for rule in event.risk.fired
            )
            return "Flagged for review", (f"Risk {event.risk.score}, {event.risk.band}", *fired)
        case PaymentApproved() | PaymentRejected():
            title = "Approved" if isinstance(event, PaymentApproved) else "Rejected"
            details = [words.plain(event.reason)]
            if event.note is not None:
                details.append(f"“{notes.get(event.note.note_id, 'This note was erased.')}”")
            return title, tuple(details)
        case _:
            assert_never(event)
