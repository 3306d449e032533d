"""Load streams and append to them, each in one statement and one round trip."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Final, Generic
from uuid import UUID

from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from msgspec import Struct
from psycopg import errors

from payments.database import execute, require_transaction
from payments.events import codec, contradictions
from payments.events.aggregates import Aggregate, E, S
from payments.events.metadata import Metadata, decode as decode_metadata
from payments.events.models import POSITION_CONSTRAINT, RESERVATION_CONSTRAINT, VERSION_CONSTRAINT
from payments.events.retries import DEADLOCK


class StaleVersion(Exception):
    """Another command appended to the stream first, so the decision was made on an old state."""

    def __init__(self, aggregate_id: UUID, expected: int) -> None:
        super().__init__(f"{aggregate_id} is no longer at version {expected}.")
        self.aggregate_id = aggregate_id
        self.expected = expected


class AlreadyReserved(Exception):
    """A value that must be unique is already reserved for the stream `owner`.

    `owner` is another stream, or the same one if an earlier event of it reserved the value.
    """

    def __init__(self, reservation: "Reservation", owner: UUID) -> None:
        super().__init__(f"{reservation.namespace} {reservation.value!r} belongs to {owner}.")
        self.reservation = reservation
        self.owner = owner


class Reservation(Struct, frozen=True):
    """A value, unique within its namespace, that the append reserves for its stream permanently."""

    namespace: str
    value: str


class Companion(Struct, frozen=True):
    """A row that the statement of an append stores together with the events, or not at all.

    `statement` inserts it. Its parameters must have names that the append does not use.
    """

    statement: str
    parameters: Mapping[str, object]


class Snapshot(Struct, frozen=True):
    """The JSON of the state after `version` events, the last of which is at `position`."""

    version: int
    position: int
    state: str


class Stream(Struct, Generic[E], frozen=True):
    """The events of one stream, and the last event that an earlier run of the same command appended.

    With a snapshot, `events` has only the events after it.
    """

    events: tuple[E, ...] = ()
    positions: tuple[int, ...] = ()
    repeated_version: int | None = None
    repeated: Metadata | None = None
    snapshot: Snapshot | None = None

    @property
    def begin(self) -> int:
        """Return the version that the events follow."""
        return 0 if self.snapshot is None else self.snapshot.version

    @property
    def version(self) -> int:
        """Return the number of events in the whole stream."""
        return self.begin + len(self.events)

    def position(self, version: int) -> int:
        """Return the position of the event with `version`, which must not precede the snapshot."""
        if self.snapshot is not None and version == self.snapshot.version:
            return self.snapshot.position
        return self.positions[version - self.begin - 1]


# With a snapshot, this reads the snapshot's last event (with the state), all later events, and
# earlier events of the same command. The existence check is a scalar subquery: with a join, the
# planner may read all versions of the stream.
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
 WHERE aggregate_id = %(aggregate_id)s AND aggregate_type = %(aggregate_type)s
   AND (version >= coalesce((SELECT version FROM kept), 0) OR metadata ->> 'key' = %(key)s)
 ORDER BY version
"""

# The events are passed as one JSON document. In arrays, every quote in their data would have to be
# escaped. The WHERE clause prevents gaps: the previous version must exist. The unique constraint
# prevents duplicates.
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

_RESERVATIONS: Final = """
reserved AS (
  INSERT INTO events_claim (namespace, value, aggregate_id)
  SELECT namespace, value, %(aggregate_id)s
    FROM unnest(%(namespaces)s::text[], %(values)s::text[]) AS wanted (namespace, value)
   WHERE %(expected)s::int = 0
      OR EXISTS (SELECT FROM events_event
                  WHERE aggregate_id = %(aggregate_id)s AND version = %(expected)s::int)
)
"""

# The stream's own reservation is a conflict only if nothing was appended after `expected`.
# Otherwise a concurrent append may have made it, and StaleVersion is raised.
_RESERVED_BY: Final = """
SELECT namespace, value, aggregate_id FROM events_claim
 WHERE (namespace, value) IN (SELECT * FROM unnest(%(namespaces)s::text[], %(values)s::text[]))
   AND (aggregate_id <> %(aggregate_id)s
        OR %(expected)s::int = (SELECT max(version) FROM events_event WHERE aggregate_id = %(aggregate_id)s))
"""

_OWNER: Final = """
SELECT aggregate_id FROM events_claim WHERE namespace = %(namespace)s AND value = %(value)s
"""
_OWNER_OF_EACH: Final = """
SELECT namespace, value, aggregate_id
  FROM unnest(%(namespaces)s::text[], %(values)s::text[]) AS wanted (namespace, value)
  JOIN events_claim USING (namespace, value)
"""
_OWNERS: Final = """
SELECT aggregate_id FROM events_claim WHERE namespace = %(namespace)s ORDER BY value
"""
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%(reservation)s, 0))"

# Serialization failures occur only through a pooler, where the database's default isolation level
# may apply.
_RIVALRY: Final = (errors.DeadlockDetected, errors.SerializationFailure)


def load(
    aggregate: Aggregate[S, E],
    aggregate_id: UUID,
    *,
    key: str | None = None,
    snapshot: bool = False,
) -> Stream[E]:
    """Return the stream, empty if it does not exist, in one round trip.

    `key` is the key of a command (see Metadata). With it, the stream includes the last event that
    an earlier run of the command appended. With `snapshot`, the stream begins at its snapshot if a
    valid one exists. Raises UnknownEventType.
    """
    parameters = {
        "aggregate_type": aggregate.name,
        "aggregate_id": aggregate_id,
        "key": key,
        "fold": aggregate.fold_id if snapshot else None,
    }
    return collect(aggregate, execute(_LOAD, parameters))


def collect(aggregate: Aggregate[S, E], rows: Iterable[tuple[Any, ...]]) -> Stream[E]:
    """Build a stream from rows like those of `load`.

    The rows are in the order of versions. Raises UnknownEventType.
    """
    events: list[E] = []
    positions: list[int] = []
    kept = repeated_version = repeated = None
    for position, version, event_type, schema_version, data, repeat, state in rows:
        if repeat is not None:
            repeated_version, repeated = version, repeat
        if state is None:
            events.append(aggregate.decode(event_type, schema_version, data))
            positions.append(position)
        else:
            # The events before the snapshot were read for their key alone.
            kept = Snapshot(version, position, state)
            events.clear()
            positions.clear()
    return Stream(
        tuple(events),
        tuple(positions),
        repeated_version,
        None if repeated is None else decode_metadata(repeated),
        kept,
    )


def reserve(reservation: Reservation) -> UUID | None:
    """Return the stream that holds the reservation, None if no stream does.

    Another caller with the same reservation waits until this transaction ends. Raises
    TransactionManagementError outside a transaction.
    """
    require_transaction()
    # Two statements: the second one sees rows that were committed while the first one waited.
    execute(_LOCK, {"reservation": f"{reservation.namespace} {reservation.value}"})
    owner = execute(_OWNER, {"namespace": reservation.namespace, "value": reservation.value})
    return owner[0][0] if owner else None


def reserved_by(namespace: str) -> list[UUID]:
    """Return the streams that hold a reservation in the namespace, sorted by value."""
    return [owner for (owner,) in execute(_OWNERS, {"namespace": namespace})]


def owners(reservations: Collection[Reservation]) -> dict[Reservation, UUID]:
    """Return the stream that holds each reservation. Omit reservations that no stream holds."""
    parameters = {
        "namespaces": [each.namespace for each in reservations],
        "values": [each.value for each in reservations],
    }
    return {
        Reservation(namespace, value): owner
        for namespace, value, owner in execute(_OWNER_OF_EACH, parameters)
    }


def append(
    aggregate: Aggregate[S, E],
    aggregate_id: UUID,
    events: Sequence[E],
    *,
    expected: int,
    metadata: Metadata,
    reservations: Sequence[Reservation] = (),
    companion: Companion | None = None,
) -> int:
    """Append one or more events after version `expected` (0: a new stream); return the last position.

    Reservations and companion are part of the same statement. Inside a transaction, a savepoint keeps the
    transaction usable if the append fails. Raises StaleVersion, AlreadyReserved, LogContradicted.
    """
    parameters: dict[str, object] = {
        "aggregate_type": aggregate.name,
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
        "metadata": codec.encode(metadata),
    }
    alongside = []
    if reservations:
        alongside.append(_RESERVATIONS)
        parameters["namespaces"] = [reservation.namespace for reservation in reservations]
        parameters["values"] = [reservation.value for reservation in reservations]
    if companion is not None:
        alongside.append(f"companion AS ({companion.statement})")
        parameters.update(companion.parameters)
    statement = (f"WITH {', '.join(alongside)}" if alongside else "") + _APPEND_EVENTS
    try:
        positions = insert(statement, parameters)
    except IntegrityError as error:
        match violated_constraint(error):
            case constraint if constraint == VERSION_CONSTRAINT:
                raise StaleVersion(aggregate_id, expected) from error
            case constraint if constraint == RESERVATION_CONSTRAINT:
                raise _reservation_conflict(aggregate_id, expected, parameters) from error
        raise
    if not positions:
        raise StaleVersion(aggregate_id, expected)
    return positions[-1]


def _reservation_conflict(
    aggregate_id: UUID, expected: int, parameters: dict[str, object]
) -> Exception:
    found = execute(_RESERVED_BY, parameters)
    if not found:
        # A concurrent append, perhaps of the same command, made the reservation for this stream.
        return StaleVersion(aggregate_id, expected)
    namespace, value, owner = found[0]
    return AlreadyReserved(Reservation(namespace, value), owner)


def insert(statement: str, parameters: dict[str, object]) -> list[int]:
    """Execute an append, with retries after deadlocks, and return the positions of the events.

    Raises IntegrityError, LogContradicted.

    Inside a transaction a savepoint keeps the transaction usable when the statement fails.
    """
    attempt = 1
    while True:
        try:
            with transaction.atomic() if connection.in_atomic_block else nullcontext():
                return [position for (position,) in execute(statement, parameters)]
        except OperationalError as error:
            rivalry = isinstance(error.__cause__, _RIVALRY)
            if not rivalry or connection.in_atomic_block or attempt == DEADLOCK.attempts:
                raise
            DEADLOCK.pause(attempt)
            attempt += 1
        except IntegrityError as error:
            if violated_constraint(error) == POSITION_CONSTRAINT:
                raise contradictions.of_taken_position() from error
            raise
        except DatabaseError as error:
            if (refused := contradictions.refused_append(error)) is not None:
                raise refused from error
            raise


def violated_constraint(error: IntegrityError) -> str | None:
    """Return the name of the unique constraint that was violated.

    Callers treat only some constraints as conflicts. Retrying after any other violation would never
    end.
    """
    cause = error.__cause__
    return cause.diag.constraint_name if isinstance(cause, errors.UniqueViolation) else None
