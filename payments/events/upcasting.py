"""Upcast stored events of older schema versions to the current one.

When fields of an event change their names or meaning, its struct gets the next `schema_version`.
Its aggregate gets a function that converts the previous version. Stored events never change.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Protocol

Document = dict[str, Any]
# Functions by event type and stored schema version. Each may change its argument, and returns the
# document of the next version.
Upcasts = Mapping[tuple[str, int], Callable[[Document], Document]]


class Versioned(Protocol):
    """The part of an event class that upcasting uses."""

    event_type: ClassVar[str]
    schema_version: ClassVar[int]


def upcast(
    document: Document, event_type: str, *, stored: int, current: int, upcasts: Upcasts
) -> Document:
    """Convert the document from schema version `stored` to `current`."""
    for version in range(stored, current):
        document = upcasts[event_type, version](document)
    return document


def unreadable(classes: Iterable[type[Versioned]], upcasts: Upcasts) -> list[tuple[str, int]]:
    """Return the event types and schema versions that cannot be upcast to the current version."""
    found = []
    for cls in classes:
        missing = [v for v in range(1, cls.schema_version) if (cls.event_type, v) not in upcasts]
        # One gap cuts off all older versions.
        found += [(cls.event_type, version) for version in range(1, max(missing, default=0) + 1)]
    return found


def needless(classes: Iterable[type[Versioned]], upcasts: Upcasts) -> list[tuple[str, int]]:
    """Return the upcasts of unknown event types, or from versions that were never stored."""
    current = {cls.event_type: cls.schema_version for cls in classes}
    return [
        (event_type, version)
        for event_type, version in upcasts
        if not 1 <= version < current.get(event_type, 1)
    ]
