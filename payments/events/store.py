"""Load a stream and append to it: one statement, one round trip each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import IntegrityError
from msgspec import Struct

from payments.database import execute, require_transaction
from payments.domain.customer import CustomerEvent
from payments.domain.payment.events import AnyPaymentEvent, PaymentEvent
from payments.domain.risk.register import AnyPolicyEvent, PolicyEvent
from payments.events import codec, insertion, metadata
from payments.events.metadata import Metadata
from payments.events.models import CLAIM_CONSTRAINT, VERSION_CONSTRAINT


class StaleVersion(Exception):
    """Somebody else appended to the stream first: what was decided was decided on an old state."""

    def __init__(self, aggregate_id: UUID, expected: int) -> None:
        super().__init__(f"{aggregate_id} is not at version {expected} any more.")
        self.aggregate_id = aggregate_id
        self.expected = expected


class AlreadyClaimed(Exception):
    """A value that must be unique belongs to another stream, `owner`."""

    def __init__(self, claim: "Claim", owner: UUID) -> None:
        super().__init__(f"{claim.namespace} {claim.value!r} belongs to {owner}.")
        self.claim = claim
        self.owner = owner


class Claim(Struct, frozen=True):
    """`value` within `namespace` is to belong to the stream that is appended to, for ever."""

    namespace: str
    value: str


class Companion(Struct, frozen=True):
    """A row that is to be stored if and only if the events are, without a round trip of its own.

    `statement` inserts it; its parameters have names that the append does not use.
    """

    statement: str
    parameters: Mapping[str, object]


class Snapshot(Struct, frozen=True):
    """The state after `version` events, the last of them at `position`, as JSON."""

    version: int
    position: int
    state: str


class Stream(Struct, frozen=True):
    """The events of one aggregate, and what an earlier run of the same command appended.

    Where there is a snapshot they are those after it.
    """

    events: tuple[AnyPaymentEvent, ...]
    positions: tuple[int, ...]
    repeated_version: int | None = None
    repeated: Metadata | None = None
    snapshot: Snapshot | None = None

    @property
    def begin(self) -> int:
        """The version that the events follow."""
        return 0 if self.snapshot is None else self.snapshot.version

    @property
    def version(self) -> int:
        return self.begin + len(self.events)

    def position(self, version: int) -> int:
        """Of the event that made `version`, which is not before the snapshot's."""
        if self.snapshot is not None and version == self.snapshot.version:
            return self.snapshot.position
        return self.positions[version - self.begin - 1]


class Append(Struct, frozen=True):
    """What begins one new stream, see `append_streams`."""

    aggregate_id: UUID
    events: Sequence[AnyPaymentEvent]
    metadata: Metadata


class RecordedEvent(Struct, frozen=True):
    """An event with everything that the log knows about it."""

    position: int
    aggregate_id: UUID
    version: int
    event: AnyPaymentEvent
    metadata: Metadata
    recorded_at: datetime


# Where there is a snapshot: the event that it ends with, which brings its state, those after it, and
# those before it that the same command appended. That it exists is asked as a value: joined, the planner
# may read all versions of the stream for it.
_LOAD: Final = """
WITH kept AS MATERIALIZED (
  SELECT version, state::text AS state FROM events_snapshot AS kept
   WHERE aggregate_id = %(aggregate_id)s AND fold = %(fold)s
     AND (SELECT true FROM events_event AS last
           WHERE last.aggregate_id = kept.aggregate_id AND last.version = kept.version)
)
SELECT position, version, event_type, schema_version, data::text,
       CASE WHEN metadata ->> 'key' = %(key)s THEN metadata::text END,
       CASE WHEN version = (SELECT version FROM kept) THEN (SELECT state FROM kept) END
  FROM events_event
 WHERE aggregate_id = %(aggregate_id)s AND aggregate_type = 'payment'
   AND (version >= coalesce((SELECT version FROM kept), 0) OR metadata ->> 'key' = %(key)s)
 ORDER BY version
"""

_HISTORY: Final = """
SELECT position, aggregate_id, version, event_type, schema_version, data::text, metadata::text,
recorded_at
  FROM events_event
 WHERE aggregate_id = %(aggregate_id)s AND aggregate_type = 'payment' ORDER BY version
"""

_LOAD_POLICIES: Final = """
SELECT event_type, schema_version, data::text
  FROM events_event WHERE aggregate_id = %(aggregate_id)s ORDER BY version
"""

_VERSION: Final = """
SELECT coalesce(max(version), 0) FROM events_event WHERE aggregate_id = %(aggregate_id)s
"""

_BEGUN: Final = """
SELECT aggregate_id, metadata::text FROM events_event
 WHERE aggregate_id = ANY(%(aggregate_ids)s) AND version = 1
"""

# The events come as one JSON document: as arrays, each quote in their data would be escaped one by one.
# Gaps are refused here (the version before must exist), duplicates by the unique constraint.
_APPEND_EVENTS: Final = """
INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type, schema_version,
                          data, metadata, occurred_at)
SELECT %(aggregate_type)s, %(aggregate_id)s, %(expected)s::int + ordinality,
       event_type, schema_version, data, %(metadata)s::jsonb, occurred_at
  FROM ROWS FROM (json_to_recordset(%(events)s::json) AS (
         event_type text, schema_version smallint, data jsonb, occurred_at timestamptz))
       WITH ORDINALITY AS new (event_type, schema_version, data, occurred_at, ordinality)
 WHERE %(expected)s::int = 0
    OR EXISTS (SELECT FROM events_event
                WHERE aggregate_id = %(aggregate_id)s AND version = %(expected)s::int)
 ORDER BY ordinality
RETURNING position
"""

_CLAIM: Final = """
claimed AS (
  INSERT INTO events_claim (namespace, value, aggregate_id)
  SELECT namespace, value, %(aggregate_id)s
    FROM unnest(%(namespaces)s::text[], %(values)s::text[]) AS claim (namespace, value)
   WHERE %(expected)s::int = 0
      OR EXISTS (SELECT FROM events_event
                  WHERE aggregate_id = %(aggregate_id)s AND version = %(expected)s::int)
)
"""

_APPEND_STREAMS: Final = """
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

_CLAIM_OWNER: Final = """
SELECT namespace, value, aggregate_id FROM events_claim
 WHERE (namespace, value) IN (SELECT * FROM unnest(%(namespaces)s::text[], %(values)s::text[]))
   AND aggregate_id <> %(aggregate_id)s
"""

_OWNER: Final = """
SELECT aggregate_id FROM events_claim WHERE namespace = %(namespace)s AND value = %(value)s
"""
_RESERVE: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%(claim)s, 0))"


def load(aggregate_id: UUID, *, key: str | None = None, fold: str | None = None) -> Stream:
    """Return the payment's stream, empty if there is none, in one round trip.

    `key` is a command's (see Metadata): what an earlier run of that command appended is told with
    it. `fold` names what makes states of events: with it the stream begins at the snapshot that was
    made by the same, if there is one. Raises UnknownEventType.
    """
    stored = execute(_LOAD, {"aggregate_id": aggregate_id, "key": key, "fold": fold})
    events: list[AnyPaymentEvent] = []
    positions: list[int] = []
    snapshot = repeated_version = repeated = None
    for position, version, event_type, schema_version, data, repeat, state in stored:
        if repeat is not None:
            repeated_version, repeated = version, repeat
        if state is None:
            events.append(codec.decode(event_type, schema_version, data))
            positions.append(position)
        else:
            # What came before it came for its key alone.
            snapshot = Snapshot(version, position, state)
            events.clear()
            positions.clear()
    return Stream(
        tuple(events),
        tuple(positions),
        repeated_version,
        None if repeated is None else metadata.decode(repeated),
        snapshot,
    )


def history(aggregate_id: UUID) -> list[RecordedEvent]:
    """Return the payment's stream with all that the log knows of each event. Raises UnknownEventType."""
    stored = execute(_HISTORY, {"aggregate_id": aggregate_id})
    return [
        RecordedEvent(
            position,
            aggregate,
            version,
            codec.decode(event_type, schema, data),
            metadata.decode(meta),
            recorded_at,
        )
        for position, aggregate, version, event_type, schema, data, meta, recorded_at in stored
    ]


def load_policies(aggregate_id: UUID) -> list[AnyPolicyEvent]:
    """Return the stream of the register of policies. Raises UnknownEventType."""
    return [
        codec.decode_policy(*row) for row in execute(_LOAD_POLICIES, {"aggregate_id": aggregate_id})
    ]


def version(aggregate_id: UUID) -> int:
    """Return the number of events of the stream, 0 if there is none."""
    ((last,),) = execute(_VERSION, {"aggregate_id": aggregate_id})
    return int(last)


def begun_by(aggregate_ids: Sequence[UUID]) -> dict[UUID, Metadata]:
    """Return, for those of the streams that exist, the metadata of what began them."""
    begun = execute(_BEGUN, {"aggregate_ids": list(aggregate_ids)})
    return {aggregate_id: metadata.decode(meta) for aggregate_id, meta in begun}


def reserve(claim: Claim) -> UUID | None:
    """Return the stream that the claim belongs to.

    Another caller who reserves the same waits until this transaction ends. Raises
    TransactionManagementError outside a transaction.
    """
    require_transaction()
    # A statement of its own: the next one sees what was committed while this one waited.
    execute(_RESERVE, {"claim": f"{claim.namespace} {claim.value}"})
    owner = execute(_OWNER, {"namespace": claim.namespace, "value": claim.value})
    return owner[0][0] if owner else None


def append(
    aggregate_id: UUID,
    events: Sequence[PaymentEvent] | Sequence[PolicyEvent] | Sequence[CustomerEvent],
    *,
    expected: int,
    metadata_: Metadata,
    claims: Sequence[Claim] = (),
    companion: Companion | None = None,
) -> int:
    """Append one or more events after version `expected` (0: a new stream).

    Returns the last position. Claims and companion are part of the same statement.

    Inside a transaction a savepoint keeps the transaction usable when the append fails.
    Raises StaleVersion, AlreadyClaimed, LogContradicted.
    """
    parameters: dict[str, object] = {
        "aggregate_type": events[0].aggregate_type,
        "aggregate_id": aggregate_id,
        "expected": expected,
        "events": codec.encode_rows(
            {
                "event_type": event.event_type,
                "schema_version": event.schema_version,
                "data": event,
                "occurred_at": event.at,
            }
            for event in events
        ),
        "metadata": metadata.encode(metadata_),
    }
    alongside = []
    if claims:
        alongside.append(_CLAIM)
        parameters["namespaces"] = [claim.namespace for claim in claims]
        parameters["values"] = [claim.value for claim in claims]
    if companion is not None:
        alongside.append(f"companion AS ({companion.statement})")
        parameters.update(companion.parameters)
    statement = (f"WITH {', '.join(alongside)}" if alongside else "") + _APPEND_EVENTS
    try:
        positions = insertion.insert(statement, parameters)
    except IntegrityError as error:
        match insertion.violated(error):
            case constraint if constraint == VERSION_CONSTRAINT:
                raise StaleVersion(aggregate_id, expected) from error
            case constraint if constraint == CLAIM_CONSTRAINT:
                raise _claim_conflict(aggregate_id, expected, parameters) from error
        raise
    if not positions:
        raise StaleVersion(aggregate_id, expected)
    return positions[-1]


def append_streams(streams: Sequence[Append]) -> int:
    """Begin many new streams in one statement, all or none; return the last position.

    Raises StaleVersion, LogContradicted.
    """
    events = codec.encode_rows(
        {
            "aggregate_type": event.aggregate_type,
            "aggregate_id": stream.aggregate_id,
            "version": version,
            "event_type": event.event_type,
            "schema_version": event.schema_version,
            "data": event,
            "metadata": stream.metadata,
            "occurred_at": event.at,
        }
        for stream in streams
        for version, event in enumerate(stream.events, start=1)
    )
    try:
        return insertion.insert(_APPEND_STREAMS, {"events": events})[-1]
    except IntegrityError as error:
        if insertion.violated(error) == VERSION_CONSTRAINT:
            raise StaleVersion(streams[0].aggregate_id, 0) from error
        raise


def _claim_conflict(aggregate_id: UUID, expected: int, parameters: dict[str, object]) -> Exception:
    found = execute(_CLAIM_OWNER, parameters)
    if not found:
        # The same stream claimed it, so the same command won a race against this one.
        return StaleVersion(aggregate_id, expected)
    namespace, value, owner = found[0]
    return AlreadyClaimed(Claim(namespace, value), owner)
