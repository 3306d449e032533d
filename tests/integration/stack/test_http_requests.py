"""The counts of requests in Valkey, and their metrics."""

from collections.abc import Iterator
from threading import Thread
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from prometheus_client import CollectorRegistry, generate_latest

from config.operations.http_requests import HttpRequests, Requests
from payments.valkey import Connection

UNREACHABLE = "redis://127.0.0.1:1/0"


@pytest.fixture
def key() -> Iterator[str]:
    name = f"test:{uuid4()}"
    yield name
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.delete(name)


def counter(key: str, url: str = "") -> Requests:
    return Requests(Connection(url or settings.REDIS_URL), key)


def rendered(requests: Requests) -> list[str]:
    registry = CollectorRegistry()
    registry.register(HttpRequests(requests))
    return generate_latest(registry).decode().splitlines()


def test_metrics_add_up_the_requests_of_all_processes(key: str) -> None:
    one, other = counter(key), counter(key)
    one.record("payments", "POST", 201, 0.003)
    other.record("payments", "POST", 204, 0.25)
    other.record("payments", "POST", 503, 20.0)
    other.flush()

    shown = rendered(one)

    name = "payments_http_request_seconds"
    labels = 'method="POST",route="payments",status="2xx"'
    assert f"{name}_bucket{{{_with('0.005', labels)}}} 1.0" in shown
    assert f"{name}_bucket{{{_with('0.1', labels)}}} 1.0" in shown
    assert f"{name}_bucket{{{_with('0.25', labels)}}} 2.0" in shown
    assert f"{name}_count{{{labels}}} 2.0" in shown
    assert f"{name}_sum{{{labels}}} 0.253" in shown
    refused = labels.replace("2xx", "5xx")
    assert f"{name}_bucket{{{_with('10.0', refused)}}} 0.0" in shown
    assert f"{name}_count{{{refused}}} 1.0" in shown


def _with(bound: str, labels: str) -> str:
    return f'le="{bound}",{labels}'


def test_counts_survive_an_unreachable_valkey(key: str) -> None:
    requests = counter(key, UNREACHABLE)
    requests.record("payments", "GET", 200, 0.001)

    shown = rendered(requests)
    requests._valkey = Connection(settings.REDIS_URL)

    assert not [line for line in shown if not line.startswith("#")]
    assert requests.totals() == {"payments GET 2xx": {"0": 1, "us": 1000}}


def test_counts_of_concurrent_threads_are_complete(key: str) -> None:
    requests = counter(key)

    def work() -> None:
        for number in range(500):
            requests.record("payments", "GET", 200, 0.0)
            if number % 50 == 0:
                requests.flush()

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert requests.totals()["payments GET 2xx"]["0"] == 4_000


def test_unknown_methods_are_counted_as_other(key: str) -> None:
    """A client could otherwise create any number of time series."""
    requests = counter(key)

    for number in range(10):
        requests.record("none", f"X{number}", 405, 0.0)

    assert list(requests.totals()) == ["none other 4xx"]
