"""Turns what older code stored into what the events are today.

When the fields of an event change their names or meaning, its struct gets the next `schema_version`
and the way from the version before is a function here. What is stored is never changed.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from payments.domain.payment.events import AnyPaymentEvent

Document = dict[str, Any]
Upcasts = Mapping[tuple[str, int], Callable[[Document], Document]]

# By event type and the schema version that was stored. Each returns the document of the next
# version; the one given is its own to change.
UPCASTS: Final[Upcasts] = {}


def upcast(
    document: Document, event_type: str, *, stored: int, current: int, upcasts: Upcasts = UPCASTS
) -> Document:
    """Return the document of schema version `current` for that of version `stored`."""
    for version in range(stored, current):
        document = upcasts[event_type, version](document)
    return document


def unreadable(
    classes: Iterable[type[AnyPaymentEvent]], upcasts: Upcasts = UPCASTS
) -> list[tuple[str, int]]:
    """The event types and schema versions that may be stored and have no way to the current one."""
    found = []
    for cls in classes:
        missing = [v for v in range(1, cls.schema_version) if (cls.event_type, v) not in upcasts]
        # One gap cuts off all that is older.
        found += [(cls.event_type, version) for version in range(1, max(missing, default=0) + 1)]
    return found


def needless(
    classes: Iterable[type[AnyPaymentEvent]], upcasts: Upcasts = UPCASTS
) -> list[tuple[str, int]]:
    """The upcasts that lead to no event: a type that nobody knows, a version that nobody stored."""
    current = {cls.event_type: cls.schema_version for cls in classes}
    return [
        (event_type, version)
        for event_type, version in upcasts
        if not 1 <= version < current.get(event_type, 1)
    ]
