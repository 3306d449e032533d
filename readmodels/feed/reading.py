"""Read a client's public events in the order of the log.

An event at or below `next_after` never appears later, for three reasons. The index ends at the safe
horizon of the log. Its rows and its checkpoint change in one transaction and are read by one
statement. The index never parks an event: it stalls at an event that it cannot store.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from payments.aggregates import PAYMENT_AGGREGATE
from payments.database import execute
from payments.domain.payment.events import AnyPaymentEvent
from payments.events.reading import horizon
from readmodels.feed.events import EVENT_TYPES, FeedEvent, public
from readmodels.projections import event_index

# The client's entries after a position, up to the checkpoint. Because pairs are compared, the
# planner can use only the index by client. With positions alone, it would read the whole log for a
# client with few events.
_RANGE: Final = """
       readmodels_eventindex AS entry
        WHERE (entry.client_id, entry.position) > (%(client)s::uuid, %(after)s::bigint)
          AND (entry.client_id, entry.position)
              <= (%(client)s::uuid, (SELECT position FROM checkpoint))
        ORDER BY entry.client_id, entry.position"""
# A page looks at 10,000 entries at most, even if few of them have the requested types. `cut` is the
# position of the 10,000th entry, if there is one. It is computed only if the page is not full. The
# limit is a constant, so that the planner expects few rows. Rows by another version of the index
# may have no client.
_PAGE: Final = """
WITH checkpoint AS MATERIALIZED (
       SELECT position FROM readmodels_checkpoint WHERE name = %(index)s AND version = %(version)s),
     shown AS MATERIALIZED (
       SELECT position
         FROM (SELECT client_id, position, event_type FROM RANGE LIMIT 10000) AS scanned
        WHERE event_type = ANY(%(types)s)
        ORDER BY client_id, position LIMIT %(limit)s)
SELECT checkpoint.position,
       CASE WHEN (SELECT count(*) FROM shown) < %(limit)s
            THEN (SELECT position FROM RANGE OFFSET 9999 LIMIT 1) END AS cut,
       COLUMNS
  FROM checkpoint LEFT JOIN (shown JOIN events_event AS event USING (position) BEGUN) ON true
 ORDER BY event.position
"""
_PAYMENTS: Final = """
SELECT COLUMNS
  FROM unnest(%(payments)s::uuid[], %(afters)s::bigint[]) AS asked (payment_id, after)
 CROSS JOIN LATERAL (
       SELECT * FROM events_event
        WHERE aggregate_id = asked.payment_id AND event_type = ANY(%(types)s)
          AND position > asked.after AND position <= %(upto)s
        ORDER BY version LIMIT %(limit)s) AS event BEGUN
 WHERE begun.data ->> 'client_id' = %(client)s
 ORDER BY event.position
"""
_COLUMNS: Final = """
       event.position, event.aggregate_id, event.version, event.event_type, event.schema_version,
       event.data::text, begun.position, begun.event_type, begun.schema_version, begun.data::text,
       customer.reference"""
_BEGUN: Final = """
  JOIN events_event AS begun ON begun.aggregate_id = event.aggregate_id AND begun.version = 1
  LEFT JOIN customers_customer AS customer ON customer.id = (begun.data ->> 'customer_id')::uuid"""
_INDEX: Final = {
    "index": event_index.PROJECTION.name,
    "version": event_index.PROJECTION.version,
}
# Compares versions, because the first batch may create the checkpoint at any moment.
_IS_OLD: Final = """
SELECT FROM readmodels_checkpoint WHERE name = %(index)s AND version <> %(version)s
"""
_PAGE_OF_CLIENT: Final = (
    _PAGE.replace("RANGE", _RANGE).replace("COLUMNS", _COLUMNS).replace("BEGUN", _BEGUN)
)
_OF_PAYMENTS: Final = _PAYMENTS.replace("COLUMNS", _COLUMNS).replace("BEGUN", _BEGUN)


class Page(Struct, frozen=True):
    """Events in order, up to the position `next_after`. `caught_up`: there are no more now."""

    events: list[FeedEvent]
    next_after: int
    caught_up: bool


class IndexBehind(Exception):
    """The event index has to be rebuilt by this version of the code first."""

    def __init__(self) -> None:
        super().__init__("event_index has to be rebuilt first.")


class PositionAhead(Exception):
    """The position is beyond the end of the log: it comes from another environment or a lost log."""

    def __init__(self, last: int) -> None:
        super().__init__(f"The log ends at {last}.")
        self.last = last


def read(
    client_id: UUID, *, after: int, limit: int, types: Collection[str] = tuple(EVENT_TYPES)
) -> Page:
    """Return the client's next public events after a position. One round trip, in constant time.

    Types that are not in the catalogue are ignored. Raises IndexBehind and PositionAhead.
    """
    parameters = {
        **_INDEX,
        "client": client_id,
        "after": after,
        "limit": limit,
        "types": _public(types),
    }
    rows = execute(_PAGE_OF_CLIENT, parameters)
    if not rows:
        return _without_index(after)
    checkpoint, cut = rows[0][:2]
    events = _events([row[2:] for row in rows if row[2] is not None])
    if len(events) == limit:
        return Page(events, events[-1].position, caught_up=False)
    if cut is not None:
        return Page(events, cut, caught_up=False)
    if after > checkpoint:
        check_in_log(after)
    return Page(events, max(after, checkpoint), caught_up=True)


def read_payments(
    client_id: UUID,
    after: Mapping[UUID, int],
    *,
    upto: int,
    types: Collection[str] = tuple(EVENT_TYPES),
    limit: int,
) -> list[FeedEvent]:
    """Return the next public events of payments in order, at most `limit` per payment.

    `after` maps each payment to the position after which to begin. Takes one round trip.
    """
    parameters = {
        "client": str(client_id),
        "payments": list(after),
        "afters": list(after.values()),
        "upto": upto,
        "limit": limit,
        "types": _public(types),
    }
    return _events(execute(_OF_PAYMENTS, parameters))


def _public(types: Collection[str]) -> list[str]:
    return [each for each in types if each in EVENT_TYPES]


def _without_index(after: int) -> Page:
    """Return an empty page for an index without a batch. Raises IndexBehind and PositionAhead."""
    if execute(_IS_OLD, _INDEX):
        raise IndexBehind
    check_in_log(after)
    return Page([], after, caught_up=True)


def check_in_log(after: int) -> None:
    """Raise PositionAhead if the log does not reach the position."""
    if after > (last := horizon.last_position()):
        raise PositionAhead(last)


def _events(rows: Sequence[tuple[Any, ...]]) -> list[FeedEvent]:
    """Decode the rows. The first event of each payment is decoded once. Raises UnreadableEvent."""
    begun: dict[UUID, AnyPaymentEvent] = {}
    found = []
    for row in rows:
        record = horizon.record(PAYMENT_AGGREGATE, *row[:6])
        payment_id = record.aggregate_id
        if payment_id not in begun:
            first_position, event_type, schema_version, data, _ = row[6:]
            begun[payment_id] = horizon.record(
                PAYMENT_AGGREGATE, first_position, payment_id, 1, event_type, schema_version, data
            ).event
        found.append(public(record, begun[payment_id], customer_reference=row[-1]))
    return found
