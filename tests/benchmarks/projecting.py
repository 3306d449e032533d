"""The time from a commit to the read models, and what reading in safe order costs writers."""

import multiprocessing
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import uuid4

from django.db import connection, connections

from config.stack import commands, processes
from payments.aggregates import PAYMENT_AGGREGATE
from payments.application.dispatch import CommandContext, dispatch
from payments.database import separate_connection
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.commands import ProcessPayment
from payments.events.reading import horizon
from readmodels.engine.runner import catch_up
from readmodels.projections import PROJECTIONS
from tests.benchmarks.harness import Figure, Work, in_turns, per_second

_RATE: Final = 200  # commands a second
_SECONDS: Final = 10
_STRANGER_SECONDS: Final = 4
_CLIENTS: Final = (2, 8)  # processes, threads
# Milliseconds. The report shows 1,000 divided by them, because higher is better in all figures.
_GOAL_MEDIAN, _GOAL_P99, _GOAL_STRANGER = 10, 50, 100

_POSITION: Final = "SELECT position FROM readmodels_checkpoint WHERE name = 'payment_summary'"
_STRANGER: Final = (
    "INSERT INTO events_claim VALUES ('benchmark', gen_random_uuid()::text, gen_random_uuid())"
)


def run() -> list[Figure]:
    return [*_latency(), _safe_order()]


def _latency() -> list[Figure]:
    """Run commands at a steady rate while a Celery worker projects them."""
    dispatch(a_payment(), CommandContext(actor="client:benchmark"))
    for projection in PROJECTIONS.values():
        catch_up(projection)
    with _worker():
        _visible_after(seconds=2)  # warms up caches and connections
        alone = _visible_after(seconds=_SECONDS)
        with separate_connection() as stranger, stranger.transaction():
            stranger.execute(_STRANGER)
            alongside = _visible_after(seconds=_STRANGER_SECONDS)
    percentiles = statistics.quantiles(alone, n=100)
    return [
        _milliseconds(f"commit to visible at {_RATE}/s, median", percentiles[49], _GOAL_MEDIAN),
        _milliseconds("the same, 99th percentile", percentiles[98], _GOAL_P99),
        _milliseconds(
            f"the same alongside an unrelated transaction of {_STRANGER_SECONDS} s, 99th percentile",
            statistics.quantiles(alongside, n=100)[98],
            _GOAL_STRANGER,
        ),
    ]


def _milliseconds(what: str, milliseconds: float, goal: float) -> Figure:
    return Figure(
        what=f"{what}: {milliseconds:.1f} ms, against {goal} ms",
        rate=1_000 / milliseconds,
        baseline=1_000 / goal,
        unit="/s",
        goal=1,
    )


def _visible_after(*, seconds: float) -> list[float]:
    """Submit payments. Return the milliseconds from each commit to the row in its read model."""
    seen: list[tuple[float, int]] = []
    done = threading.Event()

    def watch() -> None:
        with separate_connection() as looking:
            while not done.wait(0.0005):
                ((position,),) = looking.execute(_POSITION, prepare=True).fetchall()
                if not seen or seen[-1][1] != position:
                    seen.append((time.perf_counter(), position))

    watcher = threading.Thread(target=watch)
    watcher.start()
    committed: list[tuple[float, int]] = []
    begin = time.perf_counter()
    for number in range(int(seconds * _RATE)):
        time.sleep(max(0.0, begin + number / _RATE - time.perf_counter()))
        outcome = dispatch(a_payment(), CommandContext(actor="client:benchmark"))
        committed.append((time.perf_counter(), outcome.position))
    time.sleep(1)
    done.set()
    watcher.join()
    milliseconds = []
    shown = iter(seen)
    at, position = next(shown)
    for moment, wanted in committed:
        while position < wanted:
            at, position = next(shown)
        milliseconds.append(max(at - moment, 0.0) * 1_000)
    return milliseconds


@contextmanager
def _worker() -> Iterator[None]:
    child = subprocess.Popen(
        commands.with_python(commands.WORKER),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(4)
        yield
    finally:
        processes.end(child, signal.SIGTERM)


def _safe_order() -> Figure:
    """Compare writers alongside a reader that waits for open appends and one that does not."""
    count, threads = _CLIENTS
    writers = partial(per_second, _submit, processes=count, threads=threads, seconds=4)

    def write_alongside(*, waits: bool) -> float:
        with _tailing(waits=waits):
            return writers()

    medians = in_turns(
        {"on": partial(write_alongside, waits=True), "off": partial(write_alongside, waits=False)},
        rounds=5,
    )
    return Figure(
        what=f"{count * threads} writers alongside a reader in safe order, against one in any",
        rate=medians["on"],
        baseline=medians["off"],
        unit="/s",
        goal=0.98,
    )


@contextmanager
def _tailing(*, waits: bool) -> Iterator[None]:
    context = multiprocessing.get_context("fork")
    done = context.Event()
    connections.close_all()
    reader = context.Process(target=_tail, args=(waits, done))
    reader.start()
    try:
        yield
    finally:
        done.set()
        reader.join()


def _tail(waits: bool, done: "threading.Event") -> None:  # noqa: FBT001 - an argument of a process
    after = horizon.last_position()
    while not done.wait(0.005):
        upto = horizon.safe_position() if waits else horizon.last_position()
        records = horizon.read_next(PAYMENT_AGGREGATE, after=after, upto=upto, limit=1_000).records
        if records:
            after = records[-1].position
    connection.close()


def _submit(_client: int) -> Work:
    def work() -> None:
        dispatch(a_payment(), CommandContext(actor="client:benchmark"))

    return work


def a_payment() -> ProcessPayment:
    """Return a small payment without risk features."""
    return ProcessPayment(
        payment_id=uuid4(),
        client_id=uuid4(),
        customer_id=uuid4(),
        amount=Money(19_99, "EUR"),
        method=Method.WALLET,
        at=datetime.now(UTC),
    )
