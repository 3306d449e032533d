"""Read the log in order without missing an event that is still being written.

PostgreSQL assigns positions before commit. A reader that continues from its last position would
lose every transaction that commits late. Readers therefore stop at the horizon. To find it, read
the position of the sequence. Then wait until all transactions that were writing at that moment have
ended.

This is correct for two reasons. An INSERT locks the table before it takes a position. A commit
makes rows visible before it releases locks. Each position up to the horizon is therefore visible or
rolled back. Writers do no extra work. The order of the three READ COMMITTED statements is part of
the proof: read the sequence, list the writers (and wait for them), read the events.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final, Generic
from uuid import UUID

from msgspec import Struct, ValidationError

from payments.database import cursor, execute
from payments.events.aggregates import Aggregate, E, S
from payments.events.codec import UnknownEventType
from payments.events.reading.records import RecordedEvent


class Read(Struct, Generic[E], frozen=True):
    """The aggregate's events in a range, the number of all events read, and the last position.

    `follows` is False if the log lacks the event after which the range begins.
    """

    records: list[RecordedEvent[E]]
    events: int
    last: int
    follows: bool


class UnreadableEvent(Exception):
    """The code cannot read an event of the log: the code is too old, or the event is damaged."""

    def __init__(self, position: int, aggregate_id: UUID, cause: Exception | str) -> None:
        # The processes of a rebuild pickle the exception with these arguments.
        super().__init__(position, aggregate_id, str(cause))
        self.position = position

    def __str__(self) -> str:
        return "The event at position {} (stream {}): {}".format(*self.args)


class Holder(Struct, frozen=True):
    """A transaction that is appending. A prepared one has a `gid` and no `pid`."""

    virtual_transaction: str
    pid: int | None
    gid: str | None = None

    def __str__(self) -> str:
        return f"pid {self.pid}" if self.pid else f"prepared transaction {self.gid!r}"


class HorizonHeld(Exception):
    """The transactions in `holders` append and stayed open for too long."""

    def __init__(self, holders: Sequence[Holder]) -> None:
        names = ", ".join(str(holder) for holder in holders)
        super().__init__(
            f"The log cannot be read further while these transactions are open: {names}."
        )
        self.holders = tuple(holders)


# An unused sequence has last_value 1 and is_called false: position 1 is not assigned yet.
_LAST_POSITION: Final = "SELECT last_value - (NOT is_called)::int FROM events_event_position_seq"

# Databases cloned from one template share the table's oid, so the database must match too. Prepared
# transactions have no pid. An INSERT takes the first mode. A LOCK TABLE before the INSERT may have
# taken one of the other modes.
_WRITERS: Final = """
SELECT virtualtransaction, pid FROM pg_locks
 WHERE locktype = 'relation' AND granted
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND relation = 'events_event'::regclass
   AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
   AND pid IS DISTINCT FROM pg_backend_pid()
"""

# pg_prepared_xacts lists transactions by id. Each transaction holds the lock on its own id.
_PREPARED: Final = """
SELECT held.virtualtransaction, prepared.gid
  FROM pg_prepared_xacts AS prepared
  JOIN pg_locks AS held ON held.transactionid = prepared.transaction
 WHERE held.locktype = 'transactionid' AND held.granted AND held.pid IS NULL
"""

# The first row is the event that the reader read last, to check that it still exists. The data of
# other aggregates and event types is not fetched, because the reader does not use it.
_READ: Final = """
SELECT position, aggregate_id, version, event_type, schema_version,
       CASE WHEN aggregate_type = %(aggregate_type)s
             AND (%(event_types)s::text[] IS NULL OR event_type = ANY(%(event_types)s))
            THEN data::text END
  FROM events_event WHERE position >= %(after)s AND position <= %(upto)s ORDER BY position LIMIT
  %(limit)s
"""

_READ_STREAM: Final = """
SELECT position, aggregate_id, version, event_type, schema_version, data::text
  FROM events_event
 WHERE aggregate_id = %(aggregate_id)s AND aggregate_type = %(aggregate_type)s
   AND position > %(after)s AND position <= %(upto)s
 ORDER BY version
"""

_FIRST_WAIT: Final = 0.0005
_LONGEST_WAIT: Final = 0.02


def last_position() -> int:
    """Return the highest assigned position, committed or not; 0 for an empty log."""
    ((last,),) = execute(_LAST_POSITION)
    return int(last)


def last_event() -> int:
    """Return the position of the last committed event; 0 for an empty log."""
    ((last,),) = execute("SELECT coalesce(max(position), 0) FROM events_event")
    return int(last)


def safe_position(*, patience: float = 1.0) -> int:
    """Return a position up to which no event will appear later. Waits for open appends if necessary.

    Raises HorizonHeld after `patience` seconds. Requires READ COMMITTED, which every connection of
    the service sets.
    """
    upto = last_position()
    waiting_for = writers()
    deadline = time.monotonic() + patience
    pause = _FIRST_WAIT
    while waiting_for:
        if time.monotonic() > deadline:
            raise HorizonHeld(_named(waiting_for))
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_WAIT)
        # New writers take later positions, so only the writers found first matter. A transaction
        # that has been prepared since then keeps its name.
        now_open = writers()
        waiting_for = {name: now_open[name] for name in waiting_for if name in now_open}
    return upto


def writers() -> dict[str, Holder]:
    """Return the appending transactions by virtual id. Prepared ones lack their gid here."""
    return {name: Holder(name, pid) for name, pid in execute(_WRITERS)}


def read_next(
    aggregate: Aggregate[S, E],
    *,
    after: int,
    upto: int,
    limit: int,
    event_types: Sequence[str] | None = None,
) -> Read[E]:
    """Read at most `limit` events of the log with after < position <= upto, in order.

    Returns only events of the aggregate's type and, if `event_types` is given, of these types.
    Raises UnreadableEvent.
    """
    parameters: dict[str, object] = {
        "aggregate_type": aggregate.name,
        "after": after,
        "upto": upto,
        "limit": limit + 1,
        "event_types": None if event_types is None else list(event_types),
    }
    rows = execute(_READ, parameters)
    follows = bool(rows) and rows[0][0] == after
    rows = rows[1:] if follows else rows[:limit]
    last = rows[-1][0] if rows else after
    records = [record(aggregate, *row) for row in rows if row[-1] is not None]
    return Read(records, len(rows), last, follows or after == 0)


def read_stream(
    aggregate: Aggregate[S, E], aggregate_id: UUID, *, after: int, upto: int
) -> list[RecordedEvent[E]]:
    """Return the stream's events with after < position <= upto. Raises UnreadableEvent."""
    parameters = {
        "aggregate_type": aggregate.name,
        "aggregate_id": aggregate_id,
        "after": after,
        "upto": upto,
    }
    return [record(aggregate, *row) for row in execute(_READ_STREAM, parameters)]


def record(
    aggregate: Aggregate[S, E],
    position: int,
    aggregate_id: UUID,
    version: int,
    event_type: str,
    schema_version: int,
    data: str,
) -> RecordedEvent[E]:
    """Decode a row of the log. Raises UnreadableEvent."""
    try:
        event = aggregate.decode(event_type, schema_version, data)
    except (UnknownEventType, ValidationError) as error:
        raise UnreadableEvent(position, aggregate_id, error) from error
    return RecordedEvent(position, aggregate_id, version, event)


def _named(holders: Mapping[str, Holder]) -> list[Holder]:
    with cursor() as cur:
        gids: dict[str, str] = dict(cur.execute(_PREPARED))
    return [Holder(name, holder.pid, gids.get(name)) for name, holder in sorted(holders.items())]
