"""Many polling clients do not slow down submissions."""

import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.e2e.service import Service, kill_with_children, wait_for

pytestmark = pytest.mark.slow

POLLERS = 100
PAUSE = 1.0  # seconds between two polls of a client
LIST, PAYMENT = "/api/v1/payments?limit=10", "/api/v1/payments/{}"


@pytest.fixture
def running(shared_service: Service) -> Service:
    return shared_service


def test_hundred_pollers_do_not_hold_up_submissions(running: Service) -> None:
    """If polls waited for a change instead of returning 304, four would hold all four threads.

    Submissions would then take seconds. The pollers' use of the CPU costs only tens of
    milliseconds.
    """
    payment = running.post()[1]["id"]
    wait_for(lambda: payment in [each["id"] for each in running.get(LIST)[1]["payments"]])
    submit(running, 30)  # warms up caches and connections
    alone = submit(running, 100)
    with polling(running, [LIST, PAYMENT.format(payment)]) as statuses:
        time.sleep(3 * PAUSE)
        among = submit(running, 100)
    print(f"median {statistics.median(alone) * 1000:.1f} ms alone,")
    print(f"{statistics.median(among) * 1000:.1f} ms among {POLLERS} pollers: {dict(statuses)}")

    assert set(statuses) == {200, 304}
    assert statuses[304] >= POLLERS
    assert statistics.median(among) < 0.3
    assert statistics.quantiles(among, n=20)[-1] < 1


def submit(running: Service, count: int) -> list[float]:
    """Submit `count` payments in sequence. Return the seconds of each."""
    took = []
    for _ in range(count):
        status, _, seconds = running.post()
        assert status == 201
        took.append(seconds)
    return took


@contextmanager
def polling(running: Service, paths: list[str]) -> Iterator[Counter[int]]:
    """Poll these paths from POLLERS clients until the block ends. Yield the counts of statuses."""
    statuses: Counter[int] = Counter()
    done = threading.Event()

    def poll(number: int) -> None:
        path, etag = paths[number % len(paths)], ""
        connection = HTTPConnection(urlsplit(running.url).netloc, timeout=10)
        done.wait(PAUSE * number / POLLERS)
        while not done.is_set():
            headers = {"Authorization": f"Bearer {running.key}", "If-None-Match": etag}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            etag = answer.headers["ETag"]
            statuses[answer.status] += 1
            done.wait(PAUSE)
        connection.close()

    threads = [threading.Thread(target=poll, args=(number,)) for number in range(POLLERS)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_revoked_key_is_refused_in_every_process_within_three_seconds(
    running: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = running.url
    monkeypatch.setattr(running, "url", first)
    monkeypatch.setattr(running, "key", running.manage("create_api_key", "Acme").strip())
    second = running.start_web()
    for url in (first, running.url):
        running.url = url
        assert running.get(LIST)[0] == 200
    running.manage("revoke_api_key", "_".join(running.key.split("_")[:2]))
    began = time.monotonic()
    for url in (first, running.url):
        running.url = url
        wait_for(lambda: running.get(LIST)[0] == 401, seconds=3)
    assert time.monotonic() - began < 3
    kill_with_children(second)
