"""PostgreSQL is killed and restarted under writers, a tailing reader and the projections.

Without waiting for open appends, the tailing reader misses events. That a batch is one
transaction is tested in test_exactly_once.py, because a random kill seldom falls within a batch.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from random import Random
from time import sleep
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import (
    DatabaseError,
    InterfaceError,
    close_old_connections,
    connection,
    connections,
)

from config.stack.postgres import Postgres
from payments.aggregates import PAYMENT_AGGREGATE
from payments.events import store
from payments.events.models import Event
from payments.events.reading import horizon
from payments.events.reading.horizon import HorizonHeld
from readmodels.engine import runner
from readmodels.projections import PROJECTIONS
from tests.support import clusters
from tests.support.crashing import at_round_trip
from tests.support.example_events import flagged, initiated
from tests.support.oracle import check_read_models
from tests.support.poison import BY_TEST

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

GONE = (DatabaseError, InterfaceError, HorizonHeld)


@contextmanager
def django_on(server: Postgres) -> Iterator[None]:
    """Connect Django in every thread to another server that has the service's tables."""
    settings = connections.settings["default"]
    parameters = {"HOST": str(server.sockets), "NAME": clusters.DATABASE}
    before = {name: settings[name] for name in parameters}
    connection.close()
    settings.update(parameters)
    try:
        yield
    finally:
        connection.close()
        settings.update(before)


class Crew:
    """Threads that continue through every crash of the server until they are stopped."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.appended: list[UUID] = []  # streams whose append was confirmed
        self.read: list[int] = []
        self.errors: list[Exception] = []
        works = [self.append, self.append, self.append, self.tail, self.project]
        self.threads = [threading.Thread(target=self._run, args=(work,)) for work in works]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.done.set()
        for thread in self.threads:
            thread.join()
        assert self.errors == []

    def append(self) -> None:
        stream = uuid4()
        store.append(
            PAYMENT_AGGREGATE, stream, (initiated(), flagged()), expected=0, metadata=BY_TEST
        )
        self.appended.append(stream)

    def tail(self) -> None:
        after = self.read[-1] if self.read else 0
        upto = horizon.safe_position()
        records = horizon.read_next(PAYMENT_AGGREGATE, after=after, upto=upto, limit=5_000).records
        self.read += [each.position for each in records]

    def project(self) -> None:
        for projection in PROJECTIONS.values():
            runner.catch_up(projection)

    def _run(self, work: Any) -> None:
        try:
            while not self.done.is_set():
                try:
                    work()
                except GONE:
                    close_old_connections()  # as after a request or a task
                    sleep(0.01)
        except Exception as error:  # noqa: BLE001 - stop() raises it
            self.errors.append(error)
        finally:
            connections.close_all()


def test_crashes_of_postgresql_lose_and_repeat_no_event(
    own_postgres: Postgres, *, long: bool
) -> None:
    chance = Random(5)
    with django_on(own_postgres):
        crew = Crew()
        for _ in range(40 if long else 4):
            sleep(chance.uniform(0.2, 0.8))
            own_postgres.kill() if chance.random() < 0.7 else own_postgres.stop()
            own_postgres.start()
        sleep(0.5)
        crew.stop()
        crew.project()
        crew.tail()
        check_read_models()
        log = list(Event.objects.order_by("position").values_list("position", flat=True))
        assert set(crew.appended) <= set(Event.objects.values_list("aggregate_id", flat=True))
        assert crew.read == log
        assert len(log) > 200


# Nightly, because test_exactly_once.py kills the projections in every phase in every run.
@pytest.mark.nightly
def test_crash_in_any_phase_of_a_batch_counts_nothing_twice(own_postgres: Postgres) -> None:
    projection = PROJECTIONS["daily_statistics"]
    with django_on(own_postgres):
        for number in count(1):
            store.append(
                PAYMENT_AGGREGATE, uuid4(), (initiated(), flagged()), expected=0, metadata=BY_TEST
            )
            with suppress(*GONE), at_round_trip(number, own_postgres.kill):
                runner.run_batch(projection)
            connection.close()
            if own_postgres.ping():
                break
            own_postgres.start()
            check_read_models([projection])
            runner.catch_up(projection)
            check_read_models([projection])
        assert number > 6, "a batch has more phases than that"
