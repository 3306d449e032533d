"""EventIndex: one row per event, with the columns by which clients and staff find it."""

from typing import Final

from payments.aggregates import AGGREGATES
from readmodels.models import EventIndex
from readmodels.projections.kinds import Entries

EVENT_TYPES: Final = tuple(
    event_class.event_type for aggregate in AGGREGATES for event_class in aggregate.event_classes
)

PROJECTION: Final = Entries(
    name="event_index",
    version=2,
    model=EventIndex,
    select=(
        ("position", "event.position"),
        ("aggregate_id", "event.aggregate_id"),
        ("version", "event.version"),
        ("event_type", "event.event_type"),
        ("actor", "coalesce(event.metadata ->> 'actor', '')"),
        ("command", "coalesce(event.metadata ->> 'command', '')"),
        ("correlation_id", "event.metadata ->> 'correlation_id'"),
        ("occurred_at", "event.occurred_at"),
        ("recorded_at", "event.recorded_at"),
        ("client_id", "(event.data ->> 'client_id')::uuid"),
    ),
)
