"""Interleaved rounds, concurrent clients, pgbench and the table of results."""

import multiprocessing
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from django.db import connection, connections
from msgspec import Struct
from rich.console import Console
from rich.table import Table

Work = Callable[[], object]


class Figure(Struct, frozen=True, kw_only=True):
    """A line of the report. `rate` and `baseline` are in `unit`. `goal` is the required ratio."""

    what: str
    rate: float
    baseline: float
    unit: str
    goal: float | None = None

    @property
    def ratio(self) -> float:
        return self.rate / self.baseline


def in_turns(candidates: Mapping[str, Callable[[], float]], *, rounds: int = 3) -> dict[str, float]:
    """Run all candidates in each round, so that a slow moment affects all. Return the medians."""
    samples: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, candidate in candidates.items():
            samples[name].append(candidate())
    return {name: statistics.median(values) for name, values in samples.items()}


def per_second(
    make_work: Callable[[int], Work], *, processes: int, threads: int, seconds: float
) -> float:
    """Return how often per second `processes` x `threads` clients complete the work.

    `make_work(client)` is called in each thread, before the clock starts, with the client's number.
    """
    context = multiprocessing.get_context("fork")
    connections.close_all()
    barrier = context.Barrier(processes * threads)
    counts = context.Queue()
    workers = [
        context.Process(
            target=_process, args=(make_work, index * threads, threads, seconds, barrier, counts)
        )
        for index in range(processes)
    ]
    for worker in workers:
        worker.start()
    rates = [counts.get(timeout=seconds + 60) for _ in range(processes * threads)]
    for worker in workers:
        worker.join()
    return float(sum(rates))


def pgbench(script: str, *, clients: int, seconds: int) -> float:
    """Run `script` in pgbench with prepared statements. Return the transactions per second."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        output = subprocess.run(
            [
                postgres_program("pgbench"),
                *("--no-vacuum", "--protocol=prepared", f"--file={file.name}"),
                *(f"--client={clients}", f"--jobs={min(clients, 2)}", f"--time={seconds}"),
                os.environ["DATABASE_URL"],  # libpq reads it too
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    found = re.search(r"tps = ([\d.]+)", output)
    assert found, output
    return float(found.group(1))


def postgres_program(name: str) -> str:
    """Return the path of a program of the PostgreSQL under test."""
    return str(Path(os.environ["POSTGRES_BIN"]) / name)


def report(figures: Sequence[Figure]) -> None:
    """Print the figures. Missed goals are marked."""
    table = Table(title="Benchmarks", title_justify="left")
    table.add_column("what")
    for column in ("rate", "baseline", "ratio", "goal"):
        table.add_column(column, justify="right", no_wrap=True)
    for figure in figures:
        goal = "" if figure.goal is None else f">= {figure.goal:g}"
        reached = figure.goal is None or figure.ratio >= figure.goal
        table.add_row(
            figure.what,
            f"{figure.rate:,.0f} {figure.unit}",
            f"{figure.baseline:,.0f}",
            f"[{'green' if reached else 'red'}]{figure.ratio:.2f}",
            goal,
        )
    Console(width=140).print(table)


def _process(
    make_work: Callable[[int], Work],
    first: int,
    threads: int,
    seconds: float,
    barrier: "threading.Barrier",
    counts: "multiprocessing.Queue[float]",
) -> None:
    clients = [
        threading.Thread(target=_client, args=(make_work, first + index, seconds, barrier, counts))
        for index in range(threads)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def _client(
    make_work: Callable[[int], Work],
    number: int,
    seconds: float,
    barrier: "threading.Barrier",
    counts: "multiprocessing.Queue[float]",
) -> None:
    work = make_work(number)
    barrier.wait()
    started = time.perf_counter()
    done = 0
    while time.perf_counter() - started < seconds:
        work()
        done += 1
    counts.put(done / (time.perf_counter() - started))
    connection.close()
