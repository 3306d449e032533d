"""Webhooks: time from commit to arrival, deliveries per second, feed pages, and cost of a POST."""

import multiprocessing
import os
import signal
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import Final
from uuid import UUID

import psutil
from django.db import connection, connections
from django.test import override_settings
from django.utils import timezone
from msgspec.structs import replace

from config.stack import commands, processes
from payments.actors import client as client_actor
from payments.application.dispatch import CommandContext, dispatch
from payments.clients.models import Client
from payments.traffic import history
from readmodels.engine.runner import catch_up
from readmodels.feed import reading
from readmodels.projections import PROJECTIONS, event_index
from readmodels.webhooks import endpoints
from readmodels.webhooks.endpoints import Settings
from readmodels.webhooks.models import MOST_ENDPOINTS, Endpoint
from tests.benchmarks import post
from tests.benchmarks.harness import Figure, in_turns
from tests.benchmarks.projecting import a_payment
from tests.support.sinks import sink

_RATE: Final = 100  # commands a second
_SECONDS: Final = float(os.environ.get("WEBHOOKS_SECONDS", "10"))
_BACKLOG: Final = int(os.environ.get("WEBHOOKS_BACKLOG", "5000"))  # deliveries
_EVENTS: Final = int(os.environ.get("WEBHOOKS_EVENTS", "3000000"))
_TEMPLATE: Final = 20_000  # events; all others are copies of them
_PAGE: Final = 1_000
_ROUNDS: Final = 20
# Milliseconds. The report shows their number per second, because higher is better in all figures.
_GOAL_MEDIAN, _GOAL_P99, _GOAL_PAGE = 60, 500, 60
_GOAL_DELIVERIES: Final = 300
_GOAL_POST: Final = 0.98

_CLIENTS: Final = 10
_COPIES: Final = """
INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type, schema_version, data,
                          metadata, occurred_at)
SELECT aggregate_type, md5(aggregate_id || n::text)::uuid, version, event_type, schema_version,
       jsonb_set(data, '{client_id}', to_jsonb((%(clients)s::uuid[])[1 + n %% %(count)s])),
       '{}', occurred_at
  FROM generate_series(1, %(copies)s) AS n, events_event
 WHERE data ->> 'client_id' = %(template)s
 ORDER BY n, position
"""


def run() -> list[Figure]:
    with override_settings(WEBHOOK_DEBUG=True), _sink() as (url, collect):
        return [
            *_latency(url, collect),
            _deliveries(url, collect),
            _cost_of_a_post(url),
            _page(),
        ]


def _latency(url: str, collect: Connection) -> list[Figure]:
    """Run commands at a steady rate, with one worker of each kind."""
    client = _client("Latency", url)
    _submit(client.pk)
    _catch_up()
    with _processes(commands.WORKER, commands.WEBHOOKS) as (projecting, delivering):
        _submit_at_rate(client.pk, seconds=2)  # warms up caches and connections
        before = _cpu_seconds(projecting), _cpu_seconds(delivering)
        committed = _submit_at_rate(client.pk, seconds=_SECONDS)
        time.sleep(2)
        projecting_ms, delivering_ms = (
            (_cpu_seconds(each) - spent) / len(committed) * 1_000
            for each, spent in zip((projecting, delivering), before, strict=True)
        )
    print(
        f"An event at {_RATE}/s costs {projecting_ms:.1f} ms of CPU time in the worker for projections,"
        f" and {delivering_ms:.1f} ms in the one for webhooks."
    )
    arrived = _collect(collect)
    waits = [(arrived[message] - at) * 1_000 for message, at in committed.items()]
    percentiles = statistics.quantiles(waits, n=100)
    return [
        _milliseconds(f"commit to received at {_RATE}/s, median", percentiles[49], _GOAL_MEDIAN),
        _milliseconds("the same, 99th percentile", percentiles[98], _GOAL_P99),
    ]


def _deliveries(url: str, collect: Connection) -> Figure:
    """Deliver a backlog to one endpoint with one worker process."""
    Endpoint.objects.all().delete()
    client = _client("Backlog", url)
    history.write(client.pk, events=2 * _BACKLOG, seed=1)
    _catch_up()
    with _processes(commands.WEBHOOKS, commands.BEAT) as (delivering, _):
        before, last = _cpu_seconds(delivering), -1
        while (count := Endpoint.objects.get().attempts.count()) != last or not count:
            last = count
            time.sleep(6)
        milliseconds = (_cpu_seconds(delivering) - before) / count * 1_000
    print(f"A delivery of a backlog costs {milliseconds:.1f} ms of CPU time in the worker.")
    arrived = sorted(_collect(collect).values())
    return Figure(
        what=f"deliveries to a sink on this machine, one worker process, {len(arrived):,} events",
        rate=(len(arrived) - 1) / (arrived[-1] - arrived[0]),
        baseline=_GOAL_DELIVERIES,
        unit="/s",
        goal=1,
    )


def _cost_of_a_post(url: str) -> Figure:
    """Submit payments over HTTP for a client with and without endpoints."""
    Endpoint.objects.all().delete()
    with post.server() as (port, headers):
        client = Client.objects.get(name="Benchmark")
        path = "/api/v1/payments"
        submit = partial(post.requests_per_second, port, path, headers[path])

        def with_endpoints() -> float:
            for number in range(MOST_ENDPOINTS):
                _endpoint(client, f"{url}/{number}")
            try:
                return submit()
            finally:
                Endpoint.objects.all().delete()

        submit()
        medians = in_turns({"with": with_endpoints, "without": submit}, rounds=_ROUNDS)
    return Figure(
        what=f"POST payments with {MOST_ENDPOINTS} webhook endpoints, against none",
        rate=medians["with"],
        baseline=medians["without"],
        unit="/s",
        goal=_GOAL_POST,
    )


def _page() -> Figure:
    """Read pages of the feed for one of ten clients."""
    template = Client.objects.create(name="Template")
    clients = [Client.objects.create(name=f"Client {number}").pk for number in range(_CLIENTS)]
    history.write(template.pk, events=_TEMPLATE, seed=2)
    with connection.cursor() as cursor:
        cursor.execute(
            _COPIES,
            {
                "clients": clients,
                "count": _CLIENTS,
                "copies": max(_EVENTS // _TEMPLATE, 1),
                "template": str(template.pk),
            },
        )
        catch_up(event_index.PROJECTION)
        cursor.execute("VACUUM ANALYZE events_event, readmodels_eventindex")
    milliseconds = []
    after = 0
    for _ in range(2 * _ROUNDS):
        began = time.perf_counter()
        page = reading.read(clients[1], after=after, limit=_PAGE)
        milliseconds.append((time.perf_counter() - began) * 1_000)
        after = 0 if page.caught_up else page.next_after
    return _milliseconds(
        f"feed page of {_PAGE:,} among {_EVENTS:,} events, median",
        statistics.median(milliseconds[1:]),
        _GOAL_PAGE,
    )


def _milliseconds(what: str, milliseconds: float, goal: float) -> Figure:
    return Figure(
        what=f"{what}: {milliseconds:.1f} ms, against {goal} ms",
        rate=1_000 / milliseconds,
        baseline=1_000 / goal,
        unit="/s",
        goal=1,
    )


def _client(name: str, url: str) -> Client:
    client = Client.objects.create(name=name)
    _endpoint(client, f"{url}/{name}")
    return client


def _endpoint(client: Client, url: str) -> None:
    endpoints.create(client.pk, Settings(url=url), at=timezone.now(), by=client_actor(client.pk))


def _submit_at_rate(client_id: UUID, *, seconds: float) -> dict[str, float]:
    """Submit payments. Return the commit time of each by the id of its message."""
    committed = {}
    begin = time.monotonic()
    for number in range(int(seconds * _RATE)):
        time.sleep(max(0.0, begin + number / _RATE - time.monotonic()))
        position = _submit(client_id)
        committed[f"evt_{position}"] = time.monotonic()
    return committed


def _submit(client_id: UUID) -> int:
    command = replace(a_payment(), client_id=client_id)
    return dispatch(command, CommandContext(actor="client:benchmark")).position


def _catch_up() -> None:
    for projection in PROJECTIONS.values():
        catch_up(projection)


@contextmanager
def _processes(*lines: Sequence[str]) -> Iterator[list[psutil.Process]]:
    """Run processes that may send to this machine."""
    with ExitStack() as running:
        children = []
        for line in lines:
            child = processes.spawn(commands.with_python(line), environment={"DEBUG": "1"})
            running.callback(processes.end, child, signal.SIGTERM)
            children.append(psutil.Process(child.pid))
        time.sleep(5)
        yield children


def _cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time of the process and its children."""
    times = [each.cpu_times() for each in (process, *process.children())]
    return float(sum(each.user + each.system for each in times))


@contextmanager
def _sink() -> Iterator[tuple[str, Connection]]:
    """Run a receiver in another process. Yield its URL and the connection for `_collect`."""
    context = multiprocessing.get_context("fork")
    connections.close_all()
    here, there = context.Pipe()
    process = context.Process(target=_receive, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv(), here
    finally:
        process.kill()
        process.join()


def _receive(asked: Connection) -> None:
    with sink() as running:
        asked.send(running.url)
        while True:
            asked.recv()
            arrived: dict[str, float] = {}
            for message in running.received:
                arrived.setdefault(message.id, message.at)
            running.received.clear()
            asked.send(arrived)


def _collect(asked: Connection) -> dict[str, float]:
    """Return the first arrival of each message that was received since the last call."""
    asked.send(None)
    arrived: dict[str, float] = asked.recv()
    return arrived
