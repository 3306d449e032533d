"""Measure how far endpoints are behind the events of their clients."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from msgspec import Struct

from payments.database import execute
from readmodels.feed.events import EVENT_TYPES
from readmodels.webhooks.models import Endpoint

# Counting looks at no more events of the client, and at no more held payments.
COUNTED_TO: Final = 10_000

_LAG: Final = """
SELECT endpoint.id, waiting.events,
       coalesce((SELECT extract(epoch FROM clock_timestamp() - recorded_at)::float8
                   FROM readmodels_eventindex WHERE position = waiting.oldest), 0),
       (SELECT count(*) FROM (SELECT FROM webhooks_heldpayment AS held
                               WHERE held.endpoint_id = endpoint.id LIMIT %(counted_to)s) AS held)
  FROM webhooks_endpoint AS endpoint
 CROSS JOIN LATERAL (
       SELECT count(*) AS events, min(position) AS oldest
         FROM (SELECT position, event_type FROM readmodels_eventindex AS entry
                WHERE entry.client_id = endpoint.client_id AND entry.position > endpoint.position
                ORDER BY entry.position LIMIT %(counted_to)s) AS scanned
        WHERE event_type = ANY(%(public)s)
          AND (endpoint.event_types = '{}' OR event_type = ANY(endpoint.event_types))) AS waiting
 WHERE endpoint.id = ANY(%(endpoints)s)
"""


class Lag(Struct, frozen=True):
    """The events that an endpoint did not receive yet, the age of the oldest, and its held payments."""

    events: int  # among the next COUNTED_TO of the client
    seconds: float
    held: int  # up to COUNTED_TO


def measure(endpoints: Iterable[Endpoint]) -> dict[UUID, Lag]:
    """Return the lag of each endpoint by its id. One round trip."""
    parameters = {
        "endpoints": [endpoint.pk for endpoint in endpoints],
        "public": list(EVENT_TYPES),
        "counted_to": COUNTED_TO,
    }
    return {
        endpoint_id: Lag(events, max(seconds, 0.0), held)
        for endpoint_id, events, seconds, held in execute(_LAG, parameters)
    }
