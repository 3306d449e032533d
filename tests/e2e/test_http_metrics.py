"""Request metrics are correct with two web processes."""

import re
import urllib.request
from collections.abc import Iterator

import pytest

from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.e2e.service import Service, service, wait_for

pytestmark = pytest.mark.slow

REQUESTS = 40


@pytest.fixture
def running(own_postgres: Postgres, own_valkey: Valkey) -> Iterator[Service]:
    with service(own_postgres, own_valkey) as running:
        running.start_web(workers=2)
        yield running


def test_metrics_count_the_requests_of_all_web_processes(running: Service) -> None:
    """Each request opens a new connection, so that both processes get some."""
    accepted = [running.post()[0] for _ in range(REQUESTS)]
    refused = running.post(amount=0)[0]

    wait_for(lambda: counted(running, "POST", "payments", "2xx") == REQUESTS)

    assert (set(accepted), refused) == ({201}, 400)
    assert [counted(running, "POST", "payments", "2xx") for _ in range(8)] == [REQUESTS] * 8
    assert counted(running, "POST", "payments", "4xx") == 1


def counted(running: Service, method: str, route: str, status: str) -> float:
    with urllib.request.urlopen(f"{running.url}/metrics") as answer:
        text = answer.read().decode()
    labels = f'method="{method}",route="{route}",status="{status}"'
    found = re.search(
        rf"^payments_http_request_seconds_count{{{labels}}} (.+)$", text, re.MULTILINE
    )
    return float(found[1]) if found else 0
