"""Count the requests of all web processes by route, method and status, with their durations.

Each process counts in memory. It adds the counts to Valkey every few seconds and when it ends. Any
process can therefore answer `/metrics` for all processes on all hosts. While Valkey is
unreachable, the counts stay in memory. If Valkey's reply is lost, the counts are added twice. A
restart of Valkey resets the counters.
"""

import logging
import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Final

import redis
from django.conf import settings
from prometheus_client import Metric
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from payments.valkey import Connection, Script

logger: Final = logging.getLogger(__name__)

_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_NAMES: Final = (*map(str, _BOUNDS), "+Inf")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MICROSECONDS: Final = "us"
_SECONDS: Final = 5.0
# The key in the WSGI environment for the route's name, which RequestIdMiddleware sets.
ROUTE: Final = "payments.route"
NO_ROUTE: Final = "none"  # probes, static files, and requests that middleware or the server refused

_ADD: Final = Script("""
for i = 1, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
""")
# A script always returns a list. The reply to a plain HGETALL depends on the protocol's version.
_ALL: Final = Script("return redis.call('HGETALL', KEYS[1])")


class Requests:
    """The counts of one process that Valkey does not have yet, and the hash in Valkey."""

    def __init__(self, valkey: Connection, key: str = "http:requests") -> None:
        self._valkey = valkey
        self._key = key
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread. Call it in the process that serves: threads do not survive a fork."""
        self._thread = threading.Thread(target=self._run, name="request counts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and add the remaining counts."""
        self._ended.set()
        self.flush()

    def record(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        shown = method if method in _METHODS else "other"
        labels = f"{route} {shown} {status // 100}xx"
        bucket = f"{labels} {bisect_left(_BOUNDS, seconds)}"
        duration = f"{labels} {_MICROSECONDS}"
        with self._lock:
            self._counts[bucket] += 1
            self._counts[duration] += int(seconds * 1_000_000)

    def flush(self) -> None:
        """Add the counts to Valkey. If that fails, keep them for the next attempt."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            self._valkey.run(_ADD, (self._key,), *_flat(counts))
        except redis.RedisError as error:
            logger.debug("The request counts stay in memory: %s", error)
            with self._lock:
                self._counts.update(counts)

    def totals(self) -> dict[str, dict[str, int]]:
        """Return the counts of all processes by labels and bucket. Raises RedisError."""
        self.flush()
        found: dict[str, dict[str, int]] = defaultdict(dict)
        stored = iter(self._valkey.run(_ALL, (self._key,)))
        for field, count in zip(stored, stored, strict=True):
            labels, _, bucket = field.decode().rpartition(" ")
            found[labels][bucket] = int(count)
        return found

    def _run(self) -> None:
        while not self._ended.wait(_SECONDS):
            try:
                self.flush()
            except Exception:
                # The thread must survive any error, since no other thread adds the counts.
                logger.exception("The request counts were not added.")


requests: Final = Requests(Connection(settings.REDIS_URL))


class HttpRequests(Collector):
    """A collector of request durations. It yields nothing while Valkey is unreachable."""

    def __init__(self, counted: Requests) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(
            "payments_http_request_seconds",
            "Requests of all web processes, and their duration from the end of the body to the answer.",
            labels=["route", "method", "status"],
        )
        try:
            totals = self._counted.totals()
        except redis.RedisError:
            return
        for labels, counts in sorted(totals.items()):
            family.add_metric(
                labels.split(" "), _buckets(counts), sum_value=counts.get(_MICROSECONDS, 0) / 1e6
            )
        yield family


def _flat(counts: Mapping[str, int]) -> Iterator[str | int]:
    for field, count in counts.items():
        yield field
        yield count


def _buckets(counts: Mapping[str, int]) -> list[tuple[str, float]]:
    """Return the number of requests up to each bound."""
    each = (counts.get(str(index), 0) for index in range(len(_NAMES)))
    return list(zip(_NAMES, accumulate(each), strict=True))
