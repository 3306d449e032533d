"""Read streams with everything that the log holds about their events."""

from collections.abc import Collection, Sequence
from datetime import datetime
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

# OFFSET forces an index lookup for each stream, as in `batches.load`.
_HISTORIES: Final = """
SELECT event.* FROM unnest(%(aggregate_ids)s::uuid[]) AS wanted (aggregate_id)
 CROSS JOIN LATERAL (
    SELECT position, aggregate_id, version, event_type, schema_version, data::text, metadata::text,
           recorded_at
      FROM events_event
     WHERE aggregate_id = wanted.aggregate_id AND aggregate_type = %(aggregate_type)s
    OFFSET 0
  ) AS event
 ORDER BY event.aggregate_id, event.version
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
    return [_historic(aggregate, *row) for row in stored]


def histories(
    aggregate: Aggregate[S, E], aggregate_ids: Collection[UUID]
) -> dict[UUID, list[HistoricEvent[E]]]:
    """Return the `history` of each stream, in one statement. Raises UnknownEventType."""
    parameters = {"aggregate_type": aggregate.name, "aggregate_ids": list(aggregate_ids)}
    found: dict[UUID, list[HistoricEvent[E]]] = {each: [] for each in aggregate_ids}
    for row in execute(_HISTORIES, parameters):
        record = _historic(aggregate, *row)
        found[record.aggregate_id].append(record)
    return found


def _historic(
    aggregate: Aggregate[S, E],
    position: int,
    stream: UUID,
    version: int,
    event_type: str,
    schema: int,
    data: str,
    meta: str,
    recorded_at: datetime,
) -> HistoricEvent[E]:
    event = aggregate.decode(event_type, schema, data)
    return HistoricEvent(position, stream, version, event, decode_metadata(meta), recorded_at)


def begun_by(aggregate_ids: Sequence[UUID]) -> dict[UUID, Metadata]:
    """Return the metadata of the first event of each of the streams that exist."""
    begun = execute(_BEGUN, {"aggregate_ids": list(aggregate_ids)})
    return {aggregate_id: decode_metadata(meta) for aggregate_id, meta in begun}
