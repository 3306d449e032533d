"""Concurrent work in threads that have their own database connections."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from django.db import connection, connections

T = TypeVar("T")


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """Call `work` with 0, 1, ... in `count` threads that start together. Return the results.

    The results are in the order of the numbers. Raises the exception of the first failed call.
    """
    start = threading.Barrier(count)

    def run(number: int) -> T:
        try:
            connection.ensure_connection()
            start.wait(10)
            return work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@contextmanager
def session(**options: Any) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Connect to the test database, separately from Django and in autocommit."""
    with psycopg.connect(**dsn(), autocommit=True, **options) as other:
        yield other


def until_blocked() -> None:
    """Wait until a transaction waits for another one, but for a second at most."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
    with session() as looking:
        for _ in range(100):
            if looking.execute(waiting).fetchone() != (0,):
                return
            time.sleep(0.01)


def dsn() -> dict[str, Any]:
    """Return the parameters of Django's connection to the test database."""
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    return {name: parameters[name] for name in names if parameters.get(name)}
