"""Webhooks reach their endpoints although workers are killed and endpoints and brokers fail."""

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
import redis

from config.stack import place
from tests.e2e.brokers import failing
from tests.e2e.service import Service, kill_with_children, service, wait_for
from tests.support import clusters
from tests.support.sinks import Received, Reply, Sink, sink

pytestmark = pytest.mark.slow

PUBLIC = """
SELECT 'evt_' || entry.position, entry.aggregate_id::text
  FROM readmodels_eventindex AS entry JOIN clients_client AS client ON client.id = entry.client_id
 WHERE client.name = %s AND event_type IN ('payment.processed', 'payment.refunded')
 ORDER BY entry.position
"""
DEBUG = {"DEBUG": "1", "WEBHOOK_SECONDS": "1"}
MOST_KILLS = 10


@pytest.fixture
def hook() -> Iterator[Sink]:
    with sink() as running:
        yield running


@contextmanager
def stack(**environment: str) -> Iterator[Service]:
    """Run only a service's servers. Its endpoints may be on this machine."""
    with (
        clusters.cluster(durable=False) as postgres,
        clusters.valkey(durable=False) as valkey,
        service(postgres, valkey, **DEBUG | environment) as running,
    ):
        yield running


def append(
    running: Service, urls: dict[str, dict[str, str]], *, payments: int, refunds: int
) -> dict[str, str]:
    """Make the endpoints, and append events. Return the secrets of the endpoints."""
    program = [sys.executable, "-m", "tests.support.webhook_traffic"]
    done = subprocess.run(
        [*program, json.dumps(urls), str(payments), str(refunds)],
        env=os.environ | running._environment,
        cwd=place.PROJECT,
        check=True,
        stdout=subprocess.PIPE,
    )
    secrets: dict[str, str] = json.loads(done.stdout)
    return secrets


def events(running: Service, client: str) -> list[tuple[str, str]]:
    """Return the id and the payment of each public event of the client, in order."""
    with psycopg.connect(running.postgres.url("payments")) as connection:
        return connection.execute(PUBLIC, [client]).fetchall()


def first_arrivals(received: list[Received]) -> dict[str, list[str]]:
    """Return the ids of each payment's messages in the order of their first arrival."""
    found: dict[str, dict[str, None]] = {}
    for message in received:
        found.setdefault(message.payment_id, {})[message.id] = None
    return {payment: list(ids) for payment, ids in found.items()}


def in_order(expected: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for event_id, payment in expected:
        found.setdefault(payment, []).append(event_id)
    return found


def kill_until(
    done: Callable[[], bool],
    received: list[Received],
    start: Callable[[], subprocess.Popen[bytes]],
    between: Callable[[], int],
) -> int:
    """Keep two workers running, and kill them in turns, `between` messages apart.

    Return the number of kills, which is limited. On a slow machine, all messages between two kills
    may be repetitions, and killing would never end.
    """
    workers = [start(), start()]
    for kills in range(MOST_KILLS):
        next_kill = len(received) + between()
        wait_for(lambda until=next_kill: done() or len(received) >= until, seconds=60)  # type: ignore[misc]
        if done():
            return kills
        kill_with_children(workers.pop(0))
        workers.append(start())
    wait_for(done, seconds=300)
    return MOST_KILLS


@pytest.mark.parametrize(
    ("payments", "between"),
    [(30, 80), pytest.param(500, 400, marks=pytest.mark.nightly)],
)
def test_killed_workers_deliver_each_event_in_order_per_payment(
    hook: Sink, payments: int, between: int
) -> None:
    """If the cursor moved before the requests, the events of a killed round would be missing."""
    chance = random.Random(7)
    hook.answer = lambda _: Reply(seconds=chance.uniform(0, 0.02))
    with stack() as running:
        urls = {"Webhooks": {"/hook": f"{hook.url}/hook"}}
        hook.secrets = append(running, urls, payments=payments, refunds=9)
        running.start_worker()
        running.start_beat()
        expected = payments * 10
        kills = kill_until(
            lambda: len(set(hook.ids())) >= expected,
            hook.received,
            running.start_webhooks,
            lambda: chance.randint(between // 8, between),
        )

        assert kills > 2
        assert first_arrivals(hook.received) == in_order(events(running, "Webhooks"))
    assert hook.invalid == []


def test_poison_dead_and_hanging_endpoints_delay_nothing_else(hook: Sink) -> None:
    """Fifteen endpoints hang, one is dead, and one payment is refused. All others arrive."""
    with socket.socket() as hanging, stack(WEBHOOK_SECONDS="5") as running:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen(512)
        port = hanging.getsockname()[1]
        urls = {
            "Good": {"/good": f"{hook.url}/good", "dead": "http://127.0.0.1:9/"},
            "Bad": {str(each): f"http://127.0.0.1:{port}/{each}" for each in range(10)},
            "Worse": {str(each): f"http://127.0.0.1:{port}/w{each}" for each in range(5)},
        }
        poison: set[str] = set()

        def answer(message: Received) -> Reply:
            poison.update([message.payment_id] if not poison else [])
            return Reply(422 if message.payment_id in poison else 204)

        hook.answer = answer
        running.start_worker()
        running.start_beat()
        running.start_webhooks()
        append(running, urls, payments=20, refunds=4)
        seconds = wait_for(lambda: len(set(hook.ids("/good"))) >= 19 * 5 + 1, seconds=60)

        (poisoned,) = poison
        expected = in_order(events(running, "Good"))
        arrived = first_arrivals(hook.received)
        assert arrived.pop(poisoned) == expected.pop(poisoned)[:1]
        assert arrived == expected
        # A single request to a hanging endpoint takes longer.
        assert seconds < 5


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_webhooks_worker_survives_a_lost_broker(hook: Sink, fault: str) -> None:
    with stack() as running:
        running.start_worker()
        running.start_beat()
        running.start_webhooks()
        urls = {"Webhooks": {"/hook": f"{hook.url}/hook"}}
        append(running, urls, payments=1, refunds=0)
        wait_for(lambda: len(hook.received) == 1)
        getattr(running.valkey, fault)()
        append(running, {"Webhooks": {}}, payments=3, refunds=0)
        time.sleep(2)
        if fault == "freeze":
            running.valkey.thaw()
        else:
            running.valkey.start()

        wait_for(lambda: len(set(hook.ids())) == 4)
        append(running, {"Webhooks": {}}, payments=20, refunds=1)
        wait_for(lambda: len(set(hook.ids())) == 44)
        assert running.ended() == []


@pytest.mark.parametrize(
    "error",
    [
        "READONLY You can't write against a read only replica.",
        pytest.param("OOM command not allowed", marks=pytest.mark.nightly),
    ],
)
def test_webhooks_worker_survives_errors_of_the_broker(hook: Sink, error: str) -> None:
    with clusters.valkey() as valkey, failing(valkey) as broker, stack(REDIS_URL=broker.url) as it:
        it.start_worker()
        it.start_beat()
        it.start_webhooks()
        append(it, {"Webhooks": {"/hook": f"{hook.url}/hook"}}, payments=1, refunds=0)
        wait_for(lambda: len(hook.received) == 1)
        broker.error = error
        append(it, {"Webhooks": {}}, payments=3, refunds=0)
        time.sleep(3)
        broker.error = None

        wait_for(lambda: len(set(hook.ids())) == 4)
        assert it.ended() == []


def test_webhooks_worker_continues_after_failed_acknowledgements(hook: Sink) -> None:
    """Threads acknowledge their own tasks. Each failure might block one of the sixteen slots."""
    with stack() as running:
        running.start_worker()
        running.start_webhooks()
        running.start_beat()
        urls = {"Webhooks": {f"/{each}": f"{hook.url}/{each}" for each in range(10)}}
        append(running, urls, payments=1, refunds=0)
        wait_for(lambda: len(hook.received) == 10)
        with redis.Redis.from_url(running.valkey.url()) as administrator:
            administrator.execute_command("ACL", "SETUSER", "default", "-zrem")
            until = time.monotonic() + 12
            while time.monotonic() < until:
                append(running, {"Webhooks": {}}, payments=1, refunds=0)
            administrator.execute_command("ACL", "SETUSER", "default", "+zrem")
        count = len(events(running, "Webhooks"))

        append(running, {"Webhooks": {}}, payments=1, refunds=0)

        wait_for(lambda: len(set(hook.ids("/3"))) > count)
        failed = sum("Couldn't ack" in str(line) for line in running.log("celery"))
        assert failed > 0
        assert running.ended() == []
