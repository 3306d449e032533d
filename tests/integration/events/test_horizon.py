"""A reader of a log that is being written misses and repeats no event, and keeps the order.

Each test holds a transaction open in one way. test_horizon_torture.py combines them.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, transaction

from payments.aggregates import PAYMENT_AGGREGATE
from payments.events.reading import horizon
from payments.events.reading.horizon import HorizonHeld
from tests.support.concurrency import dsn, session
from tests.support.raw_appends import DATA, INSERT, Session, insert

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def writer() -> Iterator[Session]:
    with session() as other:
        yield other


def positions(upto: int) -> list[int]:
    return [
        record.position
        for record in horizon.read_next(PAYMENT_AGGREGATE, after=0, upto=upto, limit=1_000).records
    ]


def test_safe_position_of_an_unused_log_is_zero(writer: Session) -> None:
    """An unused sequence has last_value 1, but position 1 is not assigned yet."""
    writer.execute("ALTER SEQUENCE events_event_position_seq RESTART")
    assert horizon.safe_position() == 0
    assert positions(horizon.safe_position()) == []
    first = insert(writer)
    assert positions(horizon.safe_position()) == [first]


def test_safe_position_names_an_open_append(writer: Session) -> None:
    writer.execute("BEGIN")
    early = insert(writer)
    with session() as other:
        late = insert(other)
    started = time.monotonic()
    with pytest.raises(HorizonHeld, match=f"pid {writer.info.backend_pid}") as caught:
        horizon.safe_position(patience=0.2)
    assert 0.2 <= time.monotonic() - started < 1
    assert [holder.pid for holder in caught.value.holders] == [writer.info.backend_pid]
    writer.execute("COMMIT")
    assert positions(horizon.safe_position()) == [early, late]


def test_safe_position_names_a_prepared_append(writer: Session) -> None:
    """A prepared transaction has no session, so operators need its gid to end it."""
    writer.execute("BEGIN")
    early = insert(writer)
    writer.execute("PREPARE TRANSACTION 'left by a broken coordinator'")
    late = insert(writer)
    with pytest.raises(HorizonHeld, match="'left by a broken coordinator'") as caught:
        horizon.safe_position(patience=0.05)
    assert [(each.pid, each.gid) for each in caught.value.holders] == [
        (None, "left by a broken coordinator")
    ]
    with session() as other:
        other.execute("COMMIT PREPARED 'left by a broken coordinator'")
    assert positions(horizon.safe_position()) == [early, late]


def test_safe_position_waits_for_an_append_prepared_meanwhile(
    writer: Session,
) -> None:
    writer.execute("BEGIN")
    early = insert(writer)
    timer = threading.Timer(0.1, lambda: writer.execute("PREPARE TRANSACTION 'meanwhile'"))
    timer.start()
    with pytest.raises(HorizonHeld, match="'meanwhile'"):
        horizon.safe_position(patience=0.3)
    timer.join()

    writer.execute("COMMIT PREPARED 'meanwhile'")

    assert positions(horizon.safe_position()) == [early]


def test_safe_position_waits_for_an_append_that_ends_soon(writer: Session) -> None:
    writer.execute("BEGIN")
    early = insert(writer)
    with session() as other:
        late = insert(other)
    timer = threading.Timer(0.1, lambda: writer.execute("COMMIT"))
    timer.start()
    assert positions(horizon.safe_position()) == [early, late]
    timer.join()


def test_safe_position_ignores_appends_that_begin_later(writer: Session) -> None:
    """Otherwise overlapping writers would hold the horizon permanently."""
    writer.execute("BEGIN")
    early = insert(writer)
    with session() as later:

        def overlap() -> None:
            later.execute("BEGIN")
            insert(later)
            writer.execute("COMMIT")

        timer = threading.Timer(0.1, overlap)
        timer.start()
        assert positions(horizon.safe_position()) == [early]
        timer.join()
        later.execute("COMMIT")


@pytest.mark.parametrize(
    "mode", ["ROW EXCLUSIVE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"]
)
def test_safe_position_waits_for_locks_that_permit_an_append(writer: Session, mode: str) -> None:
    writer.execute("BEGIN")
    writer.execute(f"LOCK TABLE events_event IN {mode} MODE")
    with pytest.raises(HorizonHeld, match=f"pid {writer.info.backend_pid}"):
        horizon.safe_position(patience=0.05)
    early = insert(writer)

    writer.execute("COMMIT")

    assert positions(horizon.safe_position()) == [early]


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_safe_position_ignores_writers_of_other_tables(writer: Session, level: str) -> None:
    """A horizon based on transaction ids would wait for these writers."""
    writer.execute(f"BEGIN ISOLATION LEVEL {level}")
    writer.execute("SELECT count(*) FROM events_event")
    writer.execute("INSERT INTO events_claim VALUES ('a', 'b', gen_random_uuid())")
    with session() as other:
        late = insert(other)

    assert positions(horizon.safe_position(patience=0.05)) == [late]


def test_safe_position_passes_a_rolled_back_append(writer: Session) -> None:
    writer.execute("BEGIN")
    insert(writer)
    writer.execute("ROLLBACK")
    late = insert(writer)

    assert positions(horizon.safe_position()) == [late]


def test_safe_position_waits_after_a_rollback_to_a_savepoint(writer: Session) -> None:
    writer.execute("BEGIN")
    early = insert(writer)
    writer.execute("SAVEPOINT s")
    insert(writer)
    writer.execute("ROLLBACK TO s")
    with pytest.raises(HorizonHeld):
        horizon.safe_position(patience=0.05)
    writer.execute("SAVEPOINT t")
    late = insert(writer)
    writer.execute("RELEASE t")
    with pytest.raises(HorizonHeld):
        horizon.safe_position(patience=0.05)

    writer.execute("COMMIT")

    assert positions(horizon.safe_position()) == [early, late]


def test_safe_position_ignores_its_own_transaction() -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(INSERT, {"stream": uuid4(), "data": DATA})
        assert horizon.safe_position(patience=0) == horizon.last_position()


def test_safe_position_ignores_a_clone_of_the_database(writer: Session) -> None:
    """In a clone, the table has the same oid."""
    writer.close()
    with _clone() as name, session() as here, psycopg.connect(**{**dsn(), "dbname": name}) as there:
        assert _oid(here) == _oid(there)
        insert(there)
        mine = insert(here)
        assert mine in positions(horizon.safe_position(patience=0.05))


def test_read_next_returns_at_most_limit_events(writer: Session) -> None:
    made = [insert(writer) for _ in range(5)]
    upto = horizon.safe_position()

    assert [
        r.position
        for r in horizon.read_next(PAYMENT_AGGREGATE, after=made[0], upto=upto, limit=2).records
    ] == made[1:3]
    assert [
        r.position
        for r in horizon.read_next(PAYMENT_AGGREGATE, after=0, upto=made[2], limit=9).records
    ] == made[:3]
    assert horizon.read_next(PAYMENT_AGGREGATE, after=made[-1], upto=upto, limit=9).records == []


def test_read_next_moves_past_events_of_other_types(writer: Session) -> None:
    made = [insert(writer) for _ in range(3)]
    upto = horizon.safe_position()

    unwanted = horizon.read_next(
        PAYMENT_AGGREGATE, after=0, upto=upto, limit=9, event_types=("payment.refunded",)
    )
    wanted = horizon.read_next(
        PAYMENT_AGGREGATE, after=0, upto=upto, limit=9, event_types=("payment.initiated",)
    )

    assert (unwanted.records, unwanted.events, unwanted.last) == ([], 3, made[-1])
    assert [record.position for record in wanted.records] == made


def test_read_next_names_an_unreadable_event(writer: Session) -> None:
    stream = uuid4()
    for event_type, data in (("payment.teleported", DATA), ("payment.initiated", "{}")):
        row = writer.execute(
            INSERT.replace("payment.initiated", event_type), {"stream": stream, "data": data}
        ).fetchone()
        assert row is not None
        with pytest.raises(horizon.UnreadableEvent, match=f"position {row[0]} .*{stream}"):
            horizon.read_next(PAYMENT_AGGREGATE, after=row[0] - 1, upto=row[0], limit=1)


@contextmanager
def _clone() -> Iterator[str]:
    """Yield a copy of the test database. Copying needs a database without connections."""
    mine = dsn()
    name = f"{mine['dbname']}_clone"
    connection.close()
    with (
        psycopg.connect(**{**mine, "dbname": "postgres"}, autocommit=True) as cluster,
        ExitStack() as undo,
    ):
        cluster.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cluster.execute(f'CREATE DATABASE "{name}" TEMPLATE "{mine["dbname"]}"')
        undo.callback(cluster.execute, f'DROP DATABASE "{name}" WITH (FORCE)')
        yield name


def _oid(database: Session) -> object:
    return database.execute("SELECT 'events_event'::regclass::oid").fetchone()
