"""System checks of the log: `manage.py check` finds event versions that this code cannot read."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

from payments.events.aggregates import AnyAggregate
from payments.events.upcasting import needless, unreadable


@register
def check_aggregates(**_: Any) -> list[CheckMessage]:
    """Check the aggregates that `settings.EVENT_AGGREGATES` names."""
    aggregates: tuple[AnyAggregate, ...] = import_string(settings.EVENT_AGGREGATES)
    return [*_check_names(aggregates), *(each for one in aggregates for each in check_upcasts(one))]


def check_upcasts(aggregate: AnyAggregate) -> list[CheckMessage]:
    """Check that events stored by older code can be read, and that every upcast is used."""
    classes, upcasts = aggregate.event_classes, aggregate.upcasts
    return [
        *(
            Error(
                f"{event_type} with schema version {version} may be stored and cannot be read.",
                hint=f"Add its upcast to the aggregate {aggregate.name!r}.",
                id="events.E001",
            )
            for event_type, version in unreadable(classes, upcasts)
        ),
        *(
            Error(
                f"There is an upcast for {event_type} with schema version {version},"
                " but no such event has a later version.",
                hint=f"Give the event of the aggregate {aggregate.name!r} its next schema_version.",
                id="events.E002",
            )
            for event_type, version in needless(classes, upcasts)
        ),
    ]


def _check_names(aggregates: Iterable[AnyAggregate]) -> list[CheckMessage]:
    """Check that no two aggregates, and no two events, have the same stored name."""
    names: list[str] = []
    for aggregate in aggregates:
        names.append(f"aggregate {aggregate.name}")
        names += [f"event {cls.event_type}" for cls in aggregate.event_classes]
    return [
        Error(f"There are two of {name}: stored names must be unique.", id="events.E003")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
