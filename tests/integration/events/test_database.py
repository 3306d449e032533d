"""Prepared statements on Django's connection, in its transactions and after failures."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import uuid4

import psycopg
import pytest
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    connection,
    transaction,
)

from payments.database import execute
from tests.support.concurrency import session
from tests.support.roundtrips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)

KEEP = "INSERT INTO kept (number, label) VALUES (%(number)s, %(label)s)"
KEPT = "SELECT number, label FROM kept ORDER BY number"


@pytest.fixture(autouse=True)
def _table() -> Iterator[None]:
    with session() as other:
        other.execute("CREATE TABLE kept (number bigint PRIMARY KEY, label text)")
        try:
            yield
        finally:
            connection.close()
            other.execute("DROP TABLE kept")


def prepared(like: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cur:
        cur.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE %s", [like])
        found: list[tuple[Any, ...]] = cur.fetchall()
        return found


def test_execute_returns_values_unchanged() -> None:
    sent = {
        "id": uuid4(),
        "at": datetime(2026, 11, 27, 12, tzinfo=UTC),
        "text": "%(id)s, 100 % ' \\ ü",
        "none": None,
        "list": ["a", 'b"', "c,d"],
        "yes": True,
    }
    ((*back, percent),) = execute(
        "SELECT %(id)s::uuid, %(at)s::timestamptz, %(text)s::text, %(none)s::text, %(list)s::text[],"
        " %(yes)s::bool, '100 %%'",
        sent,
    )

    assert (back, percent) == (list(sent.values()), "100 %")


def test_execute_prepares_once_for_numbers_of_all_sizes() -> None:
    for number in (1, 40_000, 3_000_000_000):
        assert execute(KEEP, {"number": number, "label": "x"}) == []
    with round_trips() as counted:
        execute(KEEP, {"number": 2**62, "label": "x"})
    assert counted.count == 1
    assert len(prepared("INSERT INTO kept%")) == 1
    assert [number for number, _ in execute(KEPT)] == [1, 40_000, 3_000_000_000, 2**62]


def test_execute_includes_the_first_statement_in_the_transaction() -> None:
    for number in range(2):  # first unprepared, then prepared
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            execute(KEEP, {"number": number, "label": "first"})
            execute(KEEP, {"number": number + 10, "label": "second"})
            raise ZeroDivisionError
    assert execute(KEPT) == []
    with transaction.atomic():
        execute(KEEP, {"number": 1, "label": "first"})
        execute(KEEP, {"number": 2, "label": "second"})
    assert execute(KEPT) == [(1, "first"), (2, "second")]


def test_prepared_statement_survives_a_rollback() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        execute(KEPT)
        execute(KEPT)
        raise ZeroDivisionError
    assert len(prepared("SELECT number%")) == 1
    with round_trips() as counted:
        execute(KEPT)
    assert counted.count == 1


def test_execute_raises_djangos_error_and_stays_usable() -> None:
    execute(KEEP, {"number": 1, "label": "x"})
    with pytest.raises(IntegrityError) as refused:
        execute(KEEP, {"number": 1, "label": "x"})
    cause = refused.value.__cause__
    assert isinstance(cause, psycopg.errors.UniqueViolation)
    assert cause.diag.constraint_name == "kept_pkey"
    execute(KEEP, {"number": 2, "label": "x"})


def test_execute_refuses_text_with_nul() -> None:
    with pytest.raises(DataError):
        execute(KEEP, {"number": 1, "label": "a\x00b"})
    assert execute(KEPT) == []


def test_new_connection_prepares_again() -> None:
    execute(KEPT)
    with session() as other:
        pid = connection.connection.info.backend_pid
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    assert execute(KEPT) == []


def test_statements_of_two_clients_have_different_names() -> None:
    """Regression: with numbered names, a pooler made one client run another client's statement."""
    execute(KEPT)
    ((name,),) = prepared("SELECT number%")

    connection.connection.execute("DEALLOCATE ALL")

    assert execute("SELECT 1") == [(1,)]
    assert name not in {other for (other,) in prepared("%")}


def test_execute_uses_a_statement_prepared_by_another_client() -> None:
    execute(KEPT)
    native = connection.connection
    del native._payments_session

    assert execute(KEPT) == []
    assert len(prepared("SELECT number%")) == 1


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("end", ["type", "DEALLOCATE ALL", "DISCARD ALL"])
def test_execute_prepares_an_outdated_plan_again(end: str, *, inside: bool) -> None:
    """PostgreSQL refuses a prepared statement permanently once its result type has changed."""
    execute(KEEP, {"number": 1, "label": "x"})
    assert execute(KEPT) == [(1, "x")]
    if end == "type":
        with session() as other:
            other.execute("ALTER TABLE kept ALTER COLUMN label TYPE varchar(50)")
    else:
        connection.connection.execute(end)
    if inside:
        with pytest.raises(DatabaseError), transaction.atomic():
            execute("SELECT 1")  # begins the transaction
            execute(KEPT)
    assert execute(KEPT) == [(1, "x")]


def test_execute_refuses_after_a_swallowed_error_in_the_transaction() -> None:
    execute(KEEP, {"number": 1, "label": "x"})
    with transaction.atomic():
        with suppress(ZeroDivisionError), transaction.atomic(savepoint=False):
            raise ZeroDivisionError
        with pytest.raises(transaction.TransactionManagementError):
            execute(KEEP, {"number": 2, "label": "x"})


def test_thread_with_two_connections_keeps_statements_of_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a thread with an event loop, as browser drivers have, Django opens a second connection."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

    async def next_to_a_loop() -> int:
        execute(KEPT)
        pid: int = connection.connection.info.backend_pid
        connection.close()
        return pid

    execute(KEPT)
    assert asyncio.run(next_to_a_loop()) != connection.connection.info.backend_pid
    with round_trips() as counted:
        execute(KEPT)
    assert counted.count == 1


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_execute_can_be_interrupted_while_waiting() -> None:
    with pytest.raises(KeyboardInterrupt), interrupted_after(0.2):
        execute("SELECT pg_sleep(%(seconds)s)", {"seconds": 20})
    assert execute(KEPT) == []


def test_execute_recovers_from_an_interrupted_preparation() -> None:
    with session() as other, other.transaction():
        other.execute("LOCK TABLE kept")
        # Preparing the statement needs the locked table.
        with pytest.raises(KeyboardInterrupt), interrupted_after(0.2):
            execute(KEPT)
    assert execute(KEPT) == []
