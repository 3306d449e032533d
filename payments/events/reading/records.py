"""Events and their places in the log."""

from datetime import datetime
from typing import Generic
from uuid import UUID

from msgspec import Struct

from payments.events.aggregates import E
from payments.events.metadata import Metadata


class RecordedEvent(Struct, Generic[E], frozen=True, gc=False):
    """An event with its position in the log."""

    position: int
    aggregate_id: UUID
    version: int
    event: E


class HistoricEvent(RecordedEvent[E], Generic[E], frozen=True, gc=False):
    """A recorded event with its metadata, which bulk readers do not decode because that is slow."""

    metadata: Metadata
    recorded_at: datetime
