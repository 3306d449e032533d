"""Prometheus metrics of the review queue and of reveals, read as in readmodels.engine.metrics."""

from collections.abc import Iterator
from typing import Final

from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from readmodels.models import ReachedLevelCount
from readmodels.queries import accesses, deadlines

_UPTO: Final = f"counted up to {deadlines.MOST}"


class Reviews(Collector):
    """Collector of the metrics, with two queries. They name no person."""

    def collect(self) -> Iterator[Metric]:
        waiting = deadlines.waiting(timezone.now())
        counts: dict[str, int] = {}
        oldest: dict[str, float] = {}
        for each in waiting:
            counts[each.currency] = counts.get(each.currency, 0) + each.count
            oldest[each.currency] = max(oldest.get(each.currency, 0.0), each.oldest_seconds)
        yield _by_currency("waiting", f"Payments that wait for review, {_UPTO}.", counts)
        yield _by_currency(
            "oldest_seconds", "Longest time since a waiting payment was flagged.", oldest
        )
        past = GaugeMetricFamily(
            "payments_reviews_past_deadline_percent",
            f"Payments that wait and have used this share of their time or more, {_UPTO}.",
            labels=["percent"],
        )
        for number, level in enumerate(deadlines.LEVELS):
            past.add_metric([str(level)], sum(each.past[number] for each in waiting))
        yield past
        reached = CounterMetricFamily(
            "payments_reviews_deadline_reached",
            "Reviews that have used this share of their time, each counted once for each share.",
            labels=["percent"],
        )
        counts_by_level = dict(ReachedLevelCount.objects.values_list("level", "reached"))
        for level in deadlines.LEVELS:
            reached.add_metric([str(level)], counts_by_level.get(level, 0))
        yield reached


class PersonalData(Collector):
    """Collector of how often staff reveal personal data of customers, with one query. It names no person."""

    def collect(self) -> Iterator[Metric]:
        made = accesses.by_person(timezone.now())
        yield GaugeMetricFamily(
            "payments_personal_data_reveals",
            "Reveals of personal data of customers in the last hour.",
            value=sum(made.values()),
        )
        yield GaugeMetricFamily(
            "payments_personal_data_people_over_limit",
            "People who revealed personal data more than REVEALS_PER_HOUR times in the last hour.",
            value=len(accesses.over_limit(made)),
        )


def _by_currency(
    name: str, documentation: str, values: dict[str, int] | dict[str, float]
) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"payments_reviews_{name}", documentation, labels=["currency"])
    for currency, value in sorted(values.items()):
        gauge.add_metric([currency], value)
    return gauge
