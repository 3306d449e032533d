"""Projections whose functions fail on some events, and payments with such events."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE, RecordedPaymentEvent
from payments.domain.payment.events import PaymentApproved
from payments.events import store
from payments.events.metadata import Metadata
from readmodels.projections.kinds import Counters, Rows
from tests.support.example_events import approved, flagged, initiated, processed_after_approval

BY_TEST = Metadata(actor="system:test", command="process_payment")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
POISONED, SOUND = UUID(int=1), UUID(int=2)

Spoiler = Callable[
    [RecordedPaymentEvent, Any], Any
]  # a spoiler returns an invalid result for the event or raises


def raises(record: RecordedPaymentEvent, result: Any) -> Any:
    raise ZeroDivisionError("no such rate")


class Nameless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text either")


def raises_without_text(record: RecordedPaymentEvent, result: Any) -> Any:
    raise Nameless


def raises_unstorable_text(record: RecordedPaymentEvent, result: Any) -> Any:
    raise ValueError("a\0b\ud800" + "c" * 10_000_000)


def too_large_for_the_column(record: RecordedPaymentEvent, result: Any) -> Any:
    if isinstance(result, dict):
        return {key: {"total_count": 2**63} for key in result}
    return replace(result, amount=2**63)


def unstorable_text(record: RecordedPaymentEvent, result: Any) -> Any:
    if isinstance(result, dict):
        return {key._replace(key="\0"): sums for key, sums in result.items()}
    return replace(result, reference="\0")


def forbidden_null(record: RecordedPaymentEvent, result: Any) -> Any:
    if isinstance(result, dict):
        return {key._replace(day=None): sums for key, sums in result.items()}
    return replace(result, currency=None)


SPOILERS = [
    raises,
    raises_without_text,
    raises_unstorable_text,
    too_large_for_the_column,
    unstorable_text,
    forbidden_null,
]


def at_the_approval(record: RecordedPaymentEvent) -> bool:
    return record.aggregate_id == POISONED and isinstance(record.event, PaymentApproved)


def spoiled(
    projection: Rows | Counters,
    spoiler: Spoiler,
    is_poison: Callable[[RecordedPaymentEvent], bool] = at_the_approval,
) -> Rows | Counters:
    """Return the projection with a function that fails on some events."""
    if isinstance(projection, Counters):
        delta = projection.delta
        return replace(
            projection,
            delta=lambda record: (
                spoiler(record, delta(record)) if is_poison(record) else delta(record)
            ),
        )
    fold = projection.fold
    return replace(
        projection,
        fold=lambda row, record: (
            spoiler(record, fold(row, record)) if is_poison(record) else fold(row, record)
        ),
    )


def append(stream: UUID, *events: Any, expected: int = 0) -> None:
    store.append(PAYMENT_AGGREGATE, stream, events, expected=expected, metadata=BY_TEST)


def append_reviewed(stream: UUID) -> None:
    append(stream, initiated(), flagged())
    append(stream, approved(), processed_after_approval(), expected=2)
