"""Read streams with everything that the log holds about their events."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from payments.database import execute
from payments.events.aggregates import Aggregate, E, S
from payments.events.metadata import Metadata, decode as decode_metadata
from payments.events.reading.records import HistoricEvent

_HISTORY: Final = """
SELECT position, aggregate_id, version, event_type, schema_version, data::text, metadata::text,
recorded_at
  FROM events_event
 WHERE aggregate_id = %(aggregate_id)s AND aggregate_type = %(aggregate_type)s ORDER BY version
"""

_BEGUN: Final = """
SELECT aggregate_id, metadata::text FROM events_event
 WHERE aggregate_id = ANY(%(aggregate_ids)s) AND version = 1
"""


def history(aggregate: Aggregate[S, E], aggregate_id: UUID) -> list[HistoricEvent[E]]:
    """Return the stream with the metadata and the recording time of each event.

    Raises UnknownEventType.
    """
    stored = execute(_HISTORY, {"aggregate_type": aggregate.name, "aggregate_id": aggregate_id})
    return [
        HistoricEvent(
            position,
            stream,
            version,
            aggregate.decode(event_type, schema, data),
            decode_metadata(meta),
            recorded_at,
        )
        for position, stream, version, event_type, schema, data, meta, recorded_at in stored
    ]


def begun_by(aggregate_ids: Sequence[UUID]) -> dict[UUID, Metadata]:
    """Return the metadata of the first event of each of the streams that exist."""
    begun = execute(_BEGUN, {"aggregate_ids": list(aggregate_ids)})
    return {aggregate_id: decode_metadata(meta) for aggregate_id, meta in begun}
