"""Find endpoints that have something to send, and wake their deliveries."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings

from payments.database import execute
from readmodels.engine import wakeups

logger = logging.getLogger(__name__)

READERS: Final = wakeups.Readers("webhooks.deliver", "wake:webhooks", together=False)
# Publishing takes time from the projection, so only this many are woken per batch. Beat finds the
# others.
_MOST_OF_BATCH: Final = 100
_MOST_DUE: Final = 1_000

_OF_BATCH: Final = """
WITH clients AS MATERIALIZED (
       SELECT DISTINCT client_id FROM readmodels_eventindex
        WHERE position > %(after)s AND position <= %(upto)s)
SELECT endpoint.id::text
  FROM clients JOIN webhooks_endpoint AS endpoint USING (client_id)
 WHERE endpoint.state = 'active' AND endpoint.next_attempt_at <= clock_timestamp()
 ORDER BY random() LIMIT %(limit)s
"""
# Pairs are compared and sorted, so that the planner can use only the index by client. With EXISTS,
# if one client has most entries, it would read all of them for each endpoint that is not behind.
# The result is in random order, so that the limit does not always omit the same endpoints.
_DUE: Final = """
SELECT endpoint.id::text
  FROM webhooks_endpoint AS endpoint
 WHERE (leased_until IS NULL OR leased_until <= %(at)s)
   AND (test_id IS NOT NULL
        OR state = 'active' AND next_attempt_at <= %(at)s
           AND ((SELECT true FROM readmodels_eventindex AS entry
                  WHERE (entry.client_id, entry.position) > (endpoint.client_id, endpoint.position)
                    AND (entry.client_id, entry.position)
                        <= (endpoint.client_id, 9223372036854775807)
                  ORDER BY entry.client_id, entry.position LIMIT 1)
                OR EXISTS (SELECT FROM webhooks_heldpayment AS held
                            WHERE held.endpoint_id = endpoint.id AND held.next_attempt_at <= %(at)s
                              AND held.position <= endpoint.position)))
 ORDER BY random() LIMIT %(limit)s
"""


def wake_clients(*, after: int, upto: int) -> None:
    """Wake the endpoints of the clients that have events in this range of the index.

    Costs one round trip if there are none. A failing broker is logged, and beat compensates.
    """
    if settings.WEBHOOK_KEYS and upto > after:
        rows = execute(_OF_BATCH, {"after": after, "upto": upto, "limit": _MOST_OF_BATCH})
        _wake([name for (name,) in rows])


def wake_due(*, at: datetime) -> None:
    """Wake the endpoints that have something to send at this time, at most a thousand."""
    if settings.WEBHOOK_KEYS:
        _wake([name for (name,) in execute(_DUE, {"at": at, "limit": _MOST_DUE})])


def wake(endpoint_id: UUID) -> None:
    """Wake one endpoint. A failing broker is logged, and beat compensates."""
    _wake([str(endpoint_id)])


def _wake(names: Sequence[str]) -> None:
    if not names:
        return
    try:
        READERS.wake(*names)
    except wakeups.BROKER_ERRORS as error:
        logger.warning("The broker does not answer, beat takes over for webhooks: %s", error)
