"""A rebuild of a million events alongside a hundred commands a second and readers in loops."""

import os
import threading
import time
from typing import Final

from django.db import connection, connections

from payments.application.dispatch import CommandContext, dispatch
from payments.clients.models import Client
from payments.traffic import history
from readmodels.engine.runner import catch_up
from readmodels.projections import PROJECTIONS
from readmodels.rebuild.rebuilding import rebuild
from tests.benchmarks.harness import Figure
from tests.benchmarks.projecting import a_payment
from tests.support.readers import reading

_EVENTS: Final = int(os.environ.get("BUSY_EVENTS", "1000000"))
_RATE: Final = 100  # commands a second


def run() -> list[Figure]:
    """Rebuild under load. Raises AssertionError if a read failed or the tables are wrong."""
    projections = list(PROJECTIONS.values())
    history.write(Client.objects.create(name="Benchmark").pk, events=_EVENTS, seed=int(time.time()))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE events_event")
    for projection in projections:
        catch_up(projection)
    cores = os.cpu_count() or 1
    began = time.perf_counter()
    quiet = rebuild(projections, workers=cores)
    alone = quiet.events / (time.perf_counter() - began)
    done = threading.Event()
    crew = [threading.Thread(target=work, args=(done,)) for work in (_submit, _project)]
    for thread in crew:
        thread.start()
    try:
        with reading(pause=0.2) as seen:
            began = time.perf_counter()
            busy = rebuild(projections, workers=cores)
            rate = busy.events / (time.perf_counter() - began)
    finally:
        done.set()
        for thread in crew:
            thread.join()
    assert seen.errors == []
    assert seen.fewest >= quiet.events // 2
    for projection in projections:
        catch_up(projection)
    assert all(each.same for each in rebuild(projections, dry_run=True, workers=cores).comparisons)
    return [
        Figure(
            what=f"rebuild of all read models from {busy.events:,} events alongside {_RATE} commands/s and"
            f" {seen.reads:,} reads (longest wait {seen.longest_wait * 1_000:.0f} ms), against alone",
            rate=rate,
            baseline=alone,
            unit="events/s",
        )
    ]


def _submit(done: threading.Event) -> None:
    try:
        while not done.wait(1 / _RATE):
            dispatch(a_payment(), CommandContext(actor="client:benchmark"))
    finally:
        connections.close_all()


def _project(done: threading.Event) -> None:
    try:
        while not done.wait(0.05):
            for projection in PROJECTIONS.values():
                catch_up(projection)
    finally:
        connections.close_all()
