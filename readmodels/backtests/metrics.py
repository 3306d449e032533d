"""Prometheus metrics of shadows, read from the database as in readmodels.engine.metrics."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from payments.database import execute

_RUNNING: Final = """
SELECT count(*), count(*) FILTER (WHERE error <> ''),
       coalesce(max(extract(epoch FROM clock_timestamp() - coalesce(observed_at, started_at))), 0)::float8
  FROM backtests_shadow WHERE state = 'running'
"""


class Shadows(Collector):
    """Collector of the metrics, with one query."""

    def collect(self) -> Iterator[Metric]:
        ((running, stalled, seconds),) = execute(_RUNNING)
        yield GaugeMetricFamily("payments_shadows_running", "Running shadows.", value=running)
        yield GaugeMetricFamily(
            "payments_shadows_stalled", "Running shadows that had an error.", value=stalled
        )
        yield GaugeMetricFamily(
            "payments_shadow_behind_seconds",
            "Longest time since a running shadow read the whole log, normally at most about 60 s.",
            value=max(seconds, 0.0),
        )
