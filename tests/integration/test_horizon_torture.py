"""A storm of writers that do with their transactions whatever PostgreSQL allows, and a reader that tails.

That the storm can tell a right reader from a wrong one is a test of its own. `--long` blows for a minute.
"""

import queue
import random
import threading
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection, connections
from msgspec import Struct

from payments.events import horizon
from tests.concurrency import session
from tests.raw_appends import Session, insert

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

Read = tuple[int, UUID, int]


class Tail:
    """A reader that goes on from the last event it read, by a way of its own to find how far."""

    def __init__(self, safe_position: Callable[[], int]) -> None:
        self._safe_position = safe_position
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.read: list[Read] = []
        self.batches = 0
        self.error: Exception | None = None
        self._thread.start()

    def finish(self) -> None:
        """Stop at the end of the log."""
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
                records = horizon.read(
                    after=checkpoint, upto=self._safe_position(), limit=chance.randint(1, 200)
                )
                self.read += [(r.position, r.aggregate_id, r.version) for r in records]
                self.batches += bool(records)
                if last_time and not records:
                    return
        except Exception as error:  # noqa: BLE001 - finish() raises it
            self.error = error
        finally:
            connections.close_all()


class Storm(Struct, frozen=True):
    """What the writers do to the log, and for how long."""

    seconds: float
    writers: int = 8
    streams: tuple[UUID, ...] = tuple(UUID(int=number) for number in range(12))

    def blow(self) -> None:
        prepared: queue.Queue[tuple[str, bool] | None] = queue.Queue()
        deadline = time.monotonic() + self.seconds
        errors: list[Exception] = []

        def guarded(work: Callable[[], None]) -> threading.Thread:
            def run() -> None:
                try:
                    work()
                except Exception as error:  # noqa: BLE001 - raised below
                    errors.append(error)

            thread = threading.Thread(target=run)
            thread.start()
            return thread

        threads = [
            guarded(lambda number=number: self._write(number, deadline, prepared))  # type: ignore[misc]
            for number in range(self.writers)
        ]
        finisher = guarded(lambda: _finish_prepared(prepared))
        stranger = guarded(lambda: _write_elsewhere(deadline))
        for thread in [*threads, stranger]:
            thread.join(60)
        prepared.put(None)
        finisher.join(60)
        if errors:
            raise errors[0]

    def _write(
        self, number: int, deadline: float, prepared: "queue.Queue[tuple[str, bool] | None]"
    ) -> None:
        chance = random.Random(number)
        deeds = [
            _autocommit,
            _held_open,
            _several_appends,
            _rolled_back,
            _savepoint_rolled_back,
            _savepoint_released,
            _savepoint_over_an_append,
            _under_a_table_lock,
            _prepared,
        ]
        weights = [30, 10, 10, 10, 8, 8, 8, 1, 4]
        with session() as writer:
            # Two appends to one stream at once: one of them is refused, and the writer rolls back.
            while time.monotonic() < deadline:
                streams = sorted(chance.sample(self.streams, k=2))
                deed = chance.choices(deeds, weights)[0]
                try:
                    left = deed(writer, streams, chance)
                except psycopg.errors.UniqueViolation:
                    writer.execute("ROLLBACK")
                else:
                    if left is not None:
                        prepared.put((left, chance.random() < 0.7))


def _autocommit(writer: Session, streams: list[UUID], _: random.Random) -> None:
    insert(writer, streams[0])


def _held_open(writer: Session, streams: list[UUID], chance: random.Random) -> None:
    writer.execute("BEGIN")
    insert(writer, streams[0])
    _dawdle(chance)
    writer.execute("COMMIT")


def _several_appends(writer: Session, streams: list[UUID], chance: random.Random) -> None:
    writer.execute("BEGIN")
    insert(writer, streams[0])
    _dawdle(chance)
    insert(writer, streams[0])
    # In one order everywhere, so that the storm is not spent in deadlocks.
    insert(writer, streams[1])
    _dawdle(chance)
    writer.execute("COMMIT")


def _rolled_back(writer: Session, streams: list[UUID], chance: random.Random) -> None:
    writer.execute("BEGIN")
    insert(writer, streams[0])
    _dawdle(chance)
    writer.execute("ROLLBACK")


def _savepoint_rolled_back(writer: Session, streams: list[UUID], chance: random.Random) -> None:
    """The lock goes with the savepoint, and comes back with the next append."""
    writer.execute("BEGIN")
    writer.execute("SAVEPOINT s")
    insert(writer, streams[0])
    writer.execute("ROLLBACK TO s")
    _dawdle(chance)
    insert(writer, streams[1])
    _dawdle(chance)
    writer.execute("COMMIT")


def _savepoint_released(writer: Session, streams: list[UUID], chance: random.Random) -> None:
    writer.execute("BEGIN")
    writer.execute("SAVEPOINT s")
    insert(writer, streams[0])
    writer.execute("RELEASE s")
    _dawdle(chance)
    writer.execute("COMMIT")


def _savepoint_over_an_append(writer: Session, streams: list[UUID], chance: random.Random) -> None:
    writer.execute("BEGIN")
    insert(writer, streams[0])
    writer.execute("SAVEPOINT s")
    insert(writer, streams[1])
    _dawdle(chance)
    writer.execute("ROLLBACK TO s")
    _dawdle(chance)
    writer.execute("COMMIT")


def _under_a_table_lock(writer: Session, streams: list[UUID], chance: random.Random) -> None:
    mode = chance.choice(["SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"])
    writer.execute("BEGIN")
    writer.execute(f"LOCK TABLE events_event IN {mode} MODE")
    insert(writer, streams[0])
    time.sleep(0.005)
    writer.execute("COMMIT")


def _prepared(writer: Session, streams: list[UUID], chance: random.Random) -> str:
    gid = f"storm-{uuid4()}"
    writer.execute("BEGIN")
    insert(writer, streams[0])
    _dawdle(chance)
    writer.execute(f"PREPARE TRANSACTION '{gid}'")
    return gid


def _dawdle(chance: random.Random) -> None:
    time.sleep(chance.choice([0, 0, 0.001, 0.003, 0.01, 0.03]))


def _finish_prepared(prepared: "queue.Queue[tuple[str, bool] | None]") -> None:
    """Commit or roll back, from another session and a little later, what writers prepared."""
    chance = random.Random(0)
    with session() as other:
        while (left := prepared.get()) is not None:
            gid, commits = left
            _dawdle(chance)
            other.execute(f"{'COMMIT' if commits else 'ROLLBACK'} PREPARED '{gid}'")


def _write_elsewhere(deadline: float) -> None:
    """One long transaction after the other that has nothing to do with the log."""
    with session() as stranger:
        while time.monotonic() < deadline:
            stranger.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            stranger.execute(
                "INSERT INTO events_claim VALUES ('s', gen_random_uuid(), %s)", (uuid4(),)
            )
            time.sleep(0.5)
            stranger.execute("COMMIT")


def _the_log() -> list[Read]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT position, aggregate_id, version FROM events_event ORDER BY position")
        log: list[Read] = cursor.fetchall()
    return log


def _patient() -> int:
    return horizon.safe_position(patience=20)


def test_a_tailing_reader_misses_nothing_whatever_writers_do(*, long: bool) -> None:
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
    assert reader.batches > 50, "the reader must have read while the storm was blowing"


def _without_waiting() -> int:
    """The cursor that most event stores have: everything after the last position read."""
    return 2**62


def _locks_before_the_sequence() -> int:
    """All the right steps, but the first two the other way round."""
    waiting_for = horizon._writers()
    upto = horizon.last_position()
    while waiting_for:
        time.sleep(0.001)
        waiting_for = {
            name: waiting_for[name] for name in waiting_for if name in horizon._writers()
        }
    return upto


@pytest.mark.parametrize("reader", [_without_waiting, _locks_before_the_sequence])
def test_the_storm_finds_a_reader_that_is_wrong(reader: Callable[[], int]) -> None:
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
