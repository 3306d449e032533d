"""Prometheus metrics of the log and the projections, all read from the database.

Any process can therefore serve them, with the same values. Counters in memory would differ between
processes.
"""

from collections.abc import Iterator
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from payments.database import cursor
from payments.events import contradictions
from payments.events.reading import holders, horizon
from payments.events.seals import sealing
from readmodels.engine import lag, metering
from readmodels.engine.lag import Lag
from readmodels.engine.metering import Work
from readmodels.projections import PROJECTIONS

_WORK: Final = "SELECT name, work::text FROM readmodels_checkpoint WHERE name = ANY(%s)"


class LogAndProjections(Collector):
    """Collector of all metrics, with a dozen queries."""

    def collect(self) -> Iterator[Metric]:
        yield from _log_metrics()
        yield from _lag_metrics(lag.measure())
        yield from _work_metrics(_work())


def _log_metrics() -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "payments_log_position",
        "Highest position that the log has assigned.",
        value=horizon.last_position(),
    )
    yield GaugeMetricFamily(
        "payments_log_contradictions",
        "Contradictions of the log, see `./manage.py projections`; above 0 appends are refused.",
        value=len(contradictions.find()),
    )
    yield GaugeMetricFamily(
        "payments_log_head_contradicted",
        "1 if the log lacks the seal that this host remembers (SEAL_HEAD_FILE).",
        value=sealing.is_contradicted(),
    )
    yield GaugeMetricFamily(
        "payments_log_oldest_append_seconds",
        "Age of the oldest open transaction that appends; 0 if there is none.",
        value=max((each.seconds for each in holders.open_appends()), default=0.0),
    )
    yield GaugeMetricFamily(
        "payments_log_unsealed_seconds",
        "Age of the oldest event that no seal covers.",
        value=sealing.unsealed_seconds(),
    )


def _lag_metrics(lags: list[Lag]) -> Iterator[Metric]:
    for name, documentation, values in (
        ("position", "Position of the last event read.", [each.position for each in lags]),
        (
            "lag_events",
            f"Events that are not applied yet, counted up to {lag.COUNTED_TO}.",
            [e.events for e in lags],
        ),
        (
            "lag_seconds",
            "Age of the oldest event that is not applied yet.",
            [each.seconds for each in lags],
        ),
        (
            "parked_events",
            f"Parked events, counted up to {lag.COUNTED_TO}.",
            [each.parked for each in lags],
        ),
        (
            "stopped",
            "1 if it is stalled by an error.",
            [each.error != "" for each in lags],
        ),
        (
            "needs_rebuild",
            "1 if another version of its code filled the table.",
            [each.needs_rebuild for each in lags],
        ),
        (
            "ahead_of_log",
            "1 if it has read events that the log no longer has.",
            [each.ahead_of_log for each in lags],
        ),
    ):
        gauge = GaugeMetricFamily(
            f"payments_projection_{name}", documentation, labels=["projection"]
        )
        for each, value in zip(lags, values, strict=True):
            gauge.add_metric([each.name], value)
        yield gauge


def _work_metrics(work: dict[str, Work]) -> Iterator[Metric]:
    events = CounterMetricFamily(
        "payments_projection_events", "Events read.", labels=["projection"]
    )
    batches = SummaryMetricFamily(
        "payments_projection_batch_seconds",
        "Batches, and their duration up to the commit.",
        labels=["projection"],
    )
    calls = SummaryMetricFamily(
        "payments_projection_call_seconds",
        "Calls of the projection's function by event type, and their duration.",
        labels=["projection", "event_type"],
    )
    for name, done in sorted(work.items()):
        events.add_metric([name], done.events)
        batches.add_metric([name], count_value=done.batches, sum_value=done.seconds)
        for event_type, each in sorted(done.calls.items()):
            calls.add_metric([name, event_type], count_value=each.count, sum_value=each.seconds)
    yield from (events, batches, calls)


def _work() -> dict[str, Work]:
    with cursor() as cur:
        rows = cur.execute(_WORK, (list(PROJECTIONS),)).fetchall()
    return {name: metering.decode(work) for name, work in rows}
