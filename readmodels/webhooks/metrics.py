"""Prometheus metrics of webhooks, read from the database as in readmodels.engine.metrics."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from payments.database import execute
from readmodels.feed.events import EVENT_TYPES
from readmodels.webhooks.lag import COUNTED_TO
from readmodels.webhooks.models import State

_STATES: Final = """
SELECT state, count(*), count(*) FILTER (WHERE state = 'active' AND failures > 0)
  FROM webhooks_endpoint GROUP BY state
"""
_HELD: Final = """
SELECT count(*) FROM (SELECT FROM webhooks_heldpayment LIMIT %(counted_to)s) AS held
"""
# Pairs are compared for the reason given in waking.py. The limits keep a scrape fast even with many
# endpoints, or many events of other types.
_OLDEST: Final = """
SELECT failing, max(extract(epoch FROM clock_timestamp() - waiting.recorded_at))::float8
  FROM (SELECT client_id, position, event_types, failures > 0 AS failing FROM webhooks_endpoint
         WHERE state = 'active' ORDER BY next_attempt_at LIMIT 1000) AS endpoint
 CROSS JOIN LATERAL (
       SELECT event.recorded_at
         FROM (SELECT position, event_type FROM readmodels_eventindex AS entry
                WHERE (entry.client_id, entry.position) > (endpoint.client_id, endpoint.position)
                  AND (entry.client_id, entry.position)
                      <= (endpoint.client_id, 9223372036854775807)
                ORDER BY entry.client_id, entry.position LIMIT 100) AS scanned
         JOIN readmodels_eventindex AS event USING (position)
        WHERE scanned.event_type = ANY(%(public)s)
          AND (endpoint.event_types = '{}' OR scanned.event_type = ANY(endpoint.event_types))
        ORDER BY position LIMIT 1) AS waiting
 GROUP BY failing
"""


class Webhooks(Collector):
    """Collector of the metrics, with three queries."""

    def collect(self) -> Iterator[Metric]:
        rows = execute(_STATES)
        counts = {state: count for state, count, _ in rows}
        endpoints = GaugeMetricFamily(
            "payments_webhook_endpoints", "Webhook endpoints by state.", labels=["state"]
        )
        for state in State.values:
            endpoints.add_metric([state], counts.get(state, 0))
        yield endpoints
        yield GaugeMetricFamily(
            "payments_webhook_endpoint_disabled",
            "Endpoints that were disabled, by a person, a 410 or five days of failures.",
            value=counts.get(State.DISABLED, 0),
        )
        yield GaugeMetricFamily(
            "payments_webhook_endpoints_failing",
            "Active endpoints whose last attempt failed.",
            value=sum(failing for _, _, failing in rows),
        )
        ((held,),) = execute(_HELD, {"counted_to": COUNTED_TO})
        yield GaugeMetricFamily(
            "payments_webhook_held_payments",
            f"Payments whose event an endpoint rejected, counted up to {COUNTED_TO}.",
            value=held,
        )
        ages = dict(execute(_OLDEST, {"public": list(EVENT_TYPES)}))
        oldest = GaugeMetricFamily(
            "payments_webhook_oldest_undelivered_seconds",
            "Age of the oldest event that an active endpoint has not received, without held payments.",
            labels=["endpoints"],
        )
        for failing, label in ((False, "working"), (True, "failing")):
            oldest.add_metric([label], max(ages.get(failing, 0.0), 0.0))
        yield oldest
