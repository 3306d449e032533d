"""A tailing reader misses nothing under writers that use all kinds of transactions.

Another test shows that the storm detects a wrong reader. With `--long` it lasts a minute.
"""

import random
import threading
import time
from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import connection, connections

from payments.aggregates import PAYMENT_AGGREGATE
from payments.events.reading import horizon
from tests.support.storm import Storm

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

Read = tuple[int, UUID, int]


class Tail:
    """A reader that continues from its last event up to `safe_position()`."""

    def __init__(self, safe_position: Callable[[], int]) -> None:
        self._safe_position = safe_position
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.read: list[Read] = []
        self.batches = 0
        self.error: Exception | None = None
        self._thread.start()

    def finish(self) -> None:
        """Read up to the end of the log and stop."""
        self._stop.set()
        self._thread.join(30)
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        chance = random.Random(1)
        try:
            while True:
                last_time = self._stop.is_set()
                checkpoint = self.read[-1][0] if self.read else 0
                records = horizon.read_next(
                    PAYMENT_AGGREGATE,
                    after=checkpoint,
                    upto=self._safe_position(),
                    limit=chance.randint(1, 200),
                ).records
                self.read += [(r.position, r.aggregate_id, r.version) for r in records]
                self.batches += bool(records)
                if last_time and not records:
                    return
        except Exception as error:  # noqa: BLE001 - finish() raises it
            self.error = error
        finally:
            connections.close_all()


def _the_log() -> list[Read]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT position, aggregate_id, version FROM events_event ORDER BY position")
        log: list[Read] = cursor.fetchall()
    return log


def _patient() -> int:
    return horizon.safe_position(patience=20)


def test_tailing_reader_misses_nothing_in_a_storm(*, long: bool) -> None:
    reader = Tail(_patient)
    Storm(seconds=60 if long else 5).blow()
    reader.finish()
    log = _the_log()
    assert reader.read == log, _difference(reader.read, log)
    versions: dict[UUID, int] = {}
    for _, stream, version in reader.read:
        assert version == versions.get(stream, 0) + 1, "read out of order within its stream"
        versions[stream] = version
    assert len(log) > 1_000, "a storm of so few events proves little"
    assert reader.batches > 50, "the reader must have read during the storm"


def _without_waiting() -> int:
    """Allow reading to the end without waiting, as most event stores do."""
    return 2**62


def _locks_before_the_sequence() -> int:
    """Return a safe position by the correct steps, but with the first two in reverse order."""
    waiting_for = horizon.writers()
    upto = horizon.last_position()
    while waiting_for:
        time.sleep(0.001)
        waiting_for = {name: waiting_for[name] for name in waiting_for if name in horizon.writers()}
    return upto


@pytest.mark.parametrize("reader", [_without_waiting, _locks_before_the_sequence])
def test_storm_detects_a_wrong_reader(reader: Callable[[], int]) -> None:
    wrong = Tail(reader)
    deadline = time.monotonic() + 30
    missed: set[Read] = set()
    while not missed and time.monotonic() < deadline:
        Storm(seconds=1).blow()
        time.sleep(0.1)
        missed = {read for read in _the_log() if read[0] <= wrong.read[-1][0]} - set(wrong.read)
    wrong.finish()

    assert missed


def _difference(read: list[Read], log: list[Read]) -> str:
    missing = sorted(set(log) - set(read))
    extra = sorted(set(read) - set(log))
    return (
        f"of {len(log)} events {len(missing)} missing {missing[:5]}, {len(extra)} that are not"
        f" there {extra[:5]}, {len(read) - len(set(read))} twice"
    )
