"""Concurrent writers that together use every kind of PostgreSQL transaction."""

import queue
import random
import threading
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
from msgspec import Struct

from tests.support.concurrency import session
from tests.support.raw_appends import Session, insert


class Storm(Struct, frozen=True):
    """Concurrent writers of the event log, which run for `seconds`."""

    seconds: float
    writers: int = 8
    streams: tuple[UUID, ...] = tuple(UUID(int=number) for number in range(12))

    def blow(self) -> None:
        """Run the writers for `seconds`. Raises the first exception of a writer."""
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
        elsewhere = guarded(lambda: _write_elsewhere(deadline))
        for thread in [*threads, elsewhere]:
            thread.join(60)
        prepared.put(None)
        finisher.join(60)
        if errors:
            raise errors[0]

    def _write(
        self, number: int, deadline: float, prepared: "queue.Queue[tuple[str, bool] | None]"
    ) -> None:
        chance = random.Random(number)
        actions = [
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
            # If two writers append to one stream concurrently, one is refused and rolls back.
            while time.monotonic() < deadline:
                streams = sorted(chance.sample(self.streams, k=2))
                action = chance.choices(actions, weights)[0]
                try:
                    left = action(writer, streams, chance)
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
    _pause(chance)
    writer.execute("COMMIT")


def _several_appends(writer: Session, streams: list[UUID], chance: random.Random) -> None:
    writer.execute("BEGIN")
    insert(writer, streams[0])
    _pause(chance)
    insert(writer, streams[0])
    # All writers use the streams in the same order, which avoids deadlocks.
    insert(writer, streams[1])
    _pause(chance)
    writer.execute("COMMIT")


def _rolled_back(writer: Session, streams: list[UUID], chance: random.Random) -> None:
    writer.execute("BEGIN")
    insert(writer, streams[0])
    _pause(chance)
    writer.execute("ROLLBACK")


def _savepoint_rolled_back(writer: Session, streams: list[UUID], chance: random.Random) -> None:
    """Roll back to a savepoint, which releases the table lock, and append again."""
    writer.execute("BEGIN")
    writer.execute("SAVEPOINT s")
    insert(writer, streams[0])
    writer.execute("ROLLBACK TO s")
    _pause(chance)
    insert(writer, streams[1])
    _pause(chance)
    writer.execute("COMMIT")


def _savepoint_released(writer: Session, streams: list[UUID], chance: random.Random) -> None:
    writer.execute("BEGIN")
    writer.execute("SAVEPOINT s")
    insert(writer, streams[0])
    writer.execute("RELEASE s")
    _pause(chance)
    writer.execute("COMMIT")


def _savepoint_over_an_append(writer: Session, streams: list[UUID], chance: random.Random) -> None:
    writer.execute("BEGIN")
    insert(writer, streams[0])
    writer.execute("SAVEPOINT s")
    insert(writer, streams[1])
    _pause(chance)
    writer.execute("ROLLBACK TO s")
    _pause(chance)
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
    _pause(chance)
    writer.execute(f"PREPARE TRANSACTION '{gid}'")
    return gid


def _pause(chance: random.Random) -> None:
    time.sleep(chance.choice([0, 0, 0.001, 0.003, 0.01, 0.03]))


def _finish_prepared(prepared: "queue.Queue[tuple[str, bool] | None]") -> None:
    """Commit or roll back prepared transactions a little later, from another session."""
    chance = random.Random(0)
    with session() as other:
        while (left := prepared.get()) is not None:
            gid, commits = left
            _pause(chance)
            other.execute(f"{'COMMIT' if commits else 'ROLLBACK'} PREPARED '{gid}'")


def _write_elsewhere(deadline: float) -> None:
    """Run long transactions that do not touch the log, one after the other."""
    with session() as elsewhere:
        while time.monotonic() < deadline:
            elsewhere.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            elsewhere.execute(
                "INSERT INTO events_claim VALUES ('s', gen_random_uuid(), %s)", (uuid4(),)
            )
            time.sleep(0.5)
            elsewhere.execute("COMMIT")
