"""Load many streams, or append to many, in one statement and one round trip."""

from collections.abc import Collection, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final, Generic, TypeVar
from uuid import UUID

from django.db import IntegrityError
from msgspec import Struct

from payments.database import execute
from payments.events import codec, replay, store
from payments.events.aggregates import Aggregate, DomainEvent, E, S
from payments.events.metadata import Metadata
from payments.events.models import VERSION_CONSTRAINT
from payments.events.replay import Loaded
from payments.events.store import StaleVersion, Stream

E_co = TypeVar("E_co", bound=DomainEvent, covariant=True)


class Append(Struct, Generic[E_co], frozen=True):
    """Events to append to a stream after version `expected`, which is 0 for a new stream."""

    aggregate_id: UUID
    events: Sequence[E_co]
    metadata: Metadata
    expected: int = 0


# If a stream has a snapshot, this reads the snapshot's last event (with the state) and all later
# events. OFFSET forces an index lookup for each stream. Without it, the planner may read the whole
# log for a join.
_LOAD: Final = """
SELECT event.aggregate_id, event.position, event.version, event.event_type, event.schema_version,
       event.data, NULL, CASE WHEN event.version = kept.version THEN kept.state END
  FROM unnest(%(aggregate_ids)s::uuid[]) AS wanted (aggregate_id)
  LEFT JOIN LATERAL (
    SELECT version, state::text AS state FROM events_snapshot AS kept
     WHERE kept.aggregate_id = wanted.aggregate_id AND fold = %(fold)s
       AND EXISTS (SELECT FROM events_event AS last
                    WHERE last.aggregate_id = kept.aggregate_id AND last.version = kept.version)
  ) AS kept ON true
 CROSS JOIN LATERAL (
    SELECT aggregate_id, position, version, event_type, schema_version, data::text AS data
      FROM events_event
     WHERE aggregate_id = wanted.aggregate_id AND aggregate_type = %(aggregate_type)s
       AND version >= coalesce(kept.version, 0)
    OFFSET 0
  ) AS event
 ORDER BY event.aggregate_id, event.version
"""

_APPEND: Final = """
INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type, schema_version,
                          data, metadata, occurred_at)
SELECT aggregate_type, aggregate_id, version, event_type, schema_version,
       data, metadata, occurred_at
  FROM ROWS FROM (json_to_recordset(%(events)s::json) AS (
         aggregate_type text, aggregate_id uuid, version int, event_type text,
         schema_version smallint, data jsonb, metadata jsonb, occurred_at timestamptz))
       WITH ORDINALITY AS new (aggregate_type, aggregate_id, version, event_type, schema_version,
                               data, metadata, occurred_at, ordinality)
 ORDER BY ordinality
RETURNING position
"""


def load(aggregate: Aggregate[S, E], aggregate_ids: Collection[UUID]) -> dict[UUID, Loaded[S, E]]:
    """Return each stream and its state, by aggregate id. Raises UnknownEventType."""
    parameters = {
        "aggregate_type": aggregate.name,
        "aggregate_ids": list(aggregate_ids),
        "fold": aggregate.fold_id,
    }
    found: dict[UUID, Loaded[S, E]] = {each: Loaded(None, Stream()) for each in aggregate_ids}
    for aggregate_id, rows in groupby(execute(_LOAD, parameters), itemgetter(0)):
        stream = store.collect(aggregate, (row[1:] for row in rows))
        found[aggregate_id] = replay.loaded(aggregate, aggregate_id, stream)
    return found


def append_streams(aggregate: Aggregate[S, E], appends: Sequence[Append[E]]) -> int:
    """Append to many streams in one statement, all or none; return the last position.

    If several appends concern one stream, each expects the version after the previous append. The
    caller must have loaded the streams at their expected versions. Raises StaleVersion,
    LogContradicted.
    """
    events = codec.encode_rows(
        {
            "aggregate_type": aggregate.name,
            "aggregate_id": each.aggregate_id,
            "version": version,
            "event_type": event.event_type,
            "schema_version": event.schema_version,
            "data": event,
            "metadata": each.metadata,
            "occurred_at": event.at,
        }
        for each in appends
        for version, event in enumerate(each.events, start=each.expected + 1)
    )
    try:
        return store.insert(_APPEND, {"events": events})[-1]
    except IntegrityError as error:
        if store.violated_constraint(error) == VERSION_CONSTRAINT:
            raise StaleVersion(appends[0].aggregate_id, appends[0].expected) from error
        raise
