"""A reader of the feed misses no event, even if transactions commit late and out of order."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connections

from payments.events.models import Event
from payments.events.reading.horizon import HorizonHeld
from readmodels.engine import runner
from readmodels.feed import reading
from readmodels.models import Checkpoint
from readmodels.projections import event_index
from readmodels.rebuild.rebuilding import rebuild
from tests.support.api import ApiClient, body_of
from tests.support.concurrency import session
from tests.support.example_events import encoded, processed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

INDEX = event_index.PROJECTION
APPEND = """
INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type, schema_version, data,
                          metadata, occurred_at)
SELECT 'payment', gen_random_uuid(), 1, 'payment.processed', 1, %s, '{}', now()
  FROM generate_series(1, %s)
"""
NAIVE = "SELECT position FROM events_event WHERE position > %s ORDER BY position LIMIT 1000"
EVENTS = 10_000
WRITERS = 12


class Writer(threading.Thread):
    """Commit `events` events in transactions of random length. Roll other transactions back."""

    def __init__(self, data: str, events: int, seed: int) -> None:
        super().__init__()
        self._data = data
        self._remaining = events
        self._chance = random.Random(seed)

    def run(self) -> None:
        with session() as writer:
            while self._remaining:
                count = min(self._chance.choice([1, 3, 20, 60]), self._remaining)
                rolled_back = self._chance.random() < 0.2
                with writer.transaction(force_rollback=rolled_back):
                    writer.execute(APPEND, (self._data, count))
                    time.sleep(self._chance.choice([0, 0, 0.005, 0.03, 0.15]))
                if not rolled_back:
                    self._remaining -= count


class Loop(threading.Thread):
    """Repeat a step until `finish` is called, and from then on until the step returns nothing."""

    def __init__(self, step: Callable[[], object]) -> None:
        super().__init__()
        self._step = step
        self._ending = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while True:
                last_time = self._ending.is_set()
                if not self._step():
                    if last_time:
                        return
                    time.sleep(0.002)
        except Exception as error:  # noqa: BLE001 - finish() raises it
            self.error = error
        finally:
            connections.close_all()

    def finish(self) -> None:
        self._ending.set()
        self.join(60)
        assert not self.is_alive()
        if self.error is not None:
            raise self.error


@contextmanager
def looping(*steps: Callable[[], object]) -> Iterator[None]:
    loops = [Loop(step) for step in steps]
    for loop in loops:
        loop.start()
    try:
        yield
    finally:
        for loop in loops:  # in this order, so that readers see all that the index gets
            loop.finish()


def write(client: ApiClient, events: int) -> None:
    data = encoded(processed(client_id=client.client_id))
    writers = [Writer(data, events // WRITERS, seed) for seed in range(WRITERS - 1)]
    writers.append(Writer(data, events - events // WRITERS * (WRITERS - 1), WRITERS))
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()


class Follower:
    """Read the feed page by page, as a client does."""

    def __init__(self, client: ApiClient) -> None:
        self._client_id = client.client_id
        self.after = 0
        self.seen: list[int] = []

    def step(self) -> bool:
        page = reading.read(self._client_id, after=self.after, limit=1_000)
        assert page.next_after >= self.after
        self.seen += [event.position for event in page.events]
        self.after = page.next_after
        return bool(page.events)


class NaiveFollower:
    """Read the log after the last position, without a safe horizon."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def step(self) -> bool:
        with session() as reader:
            rows = reader.execute(NAIVE, (self.seen[-1] if self.seen else 0,)).fetchall()
        self.seen += [position for (position,) in rows]
        return bool(rows)


def positions() -> list[int]:
    return list(Event.objects.order_by("position").values_list("position", flat=True))


def test_feed_reader_misses_nothing_alongside_writers_that_commit_late() -> None:
    """A reader that continues after the last position misses events that commit later."""
    acme = ApiClient("Acme")
    follower, naive = Follower(acme), NaiveFollower()

    with looping(run_batch, follower.step, naive.step):
        write(acme, EVENTS)

    assert len(follower.seen) == EVENTS
    assert follower.seen == positions()
    missed = EVENTS - len(set(naive.seen))
    print(f"The naive reader missed {missed} of {EVENTS}.")
    assert missed > 0


def run_batch() -> bool:
    batch = runner.run_batch(INDEX)
    return batch is None or batch.events > 0


def test_feed_reader_misses_nothing_while_the_index_is_rebuilt() -> None:
    acme = ApiClient("Acme")
    follower, checkpoints = Follower(acme), [0]

    def watch() -> bool:
        found = Checkpoint.objects.filter(name=INDEX.name).values_list("position", flat=True)
        checkpoints.extend(found)
        return False

    writer = threading.Thread(target=write, args=(acme, EVENTS // 2))
    with looping(run_batch, follower.step, watch):
        writer.start()
        rebuilds = 0
        while writer.is_alive():
            rebuild([INDEX])
            rebuilds += 1
        writer.join()

    assert rebuilds > 0
    assert checkpoints == sorted(checkpoints)
    assert follower.seen == positions()


def test_feed_waits_for_an_event_before_it_in_an_open_transaction() -> None:
    acme = ApiClient("Acme")
    data = encoded(processed(client_id=acme.client_id))

    with session() as late, session() as early:
        with late.transaction():
            late.execute(APPEND, (data, 1))
            early.execute(APPEND, (data, 1))
            with pytest.raises(HorizonHeld):
                runner.run_batch(INDEX)
            before = body_of(acme.get("/api/v1/events"))
        runner.run_batch(INDEX)
        after = body_of(acme.get(f"/api/v1/events?after={before['next_after']}"))

    assert before["events"] == []
    assert [event["position"] for event in after["events"]] == positions()
