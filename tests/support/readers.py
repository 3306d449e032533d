"""Readers that repeatedly compare two tables that must agree, each reader in a different way."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from tests.support.concurrency import session

# One statement sees one snapshot, so both counts of payments must agree.
_ONE_ORDER: Final = """
SELECT (SELECT count(*) FROM readmodels_paymentsummary),
       (SELECT sum(total_count) FROM readmodels_dailystatistics)
"""
_OTHER_ORDER: Final = """
SELECT p.payments, d.counted FROM (SELECT sum(total_count) AS counted FROM readmodels_dailystatistics) d
  CROSS JOIN (SELECT count(*) AS payments FROM readmodels_paymentsummary) p
"""

_PAYMENTS: Final = "SELECT count(*) FROM readmodels_paymentsummary"
_DAYS: Final = "SELECT sum(total_count) FROM readmodels_dailystatistics"
_LONGEST_WAIT: Final = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float8 FROM pg_locks
 WHERE NOT granted AND mode = 'AccessShareLock'
"""

Session = psycopg.Connection[tuple[Any, ...]]
Reader = Callable[[Session], tuple[int, int]]


def _one_statement(statement: str, *, prepare: bool) -> Reader:
    def read(connection: Session) -> tuple[int, int]:
        payments, counted = connection.execute(statement, prepare=prepare).fetchone() or (0, 0)
        return payments, int(counted or 0)

    return read


def _server_cursor(connection: Session) -> tuple[int, int]:
    with connection.transaction(), connection.cursor(name="reading") as cursor:
        cursor.itersize = 1_000
        cursor.execute("SELECT payment_id FROM readmodels_paymentsummary")
        payments = sum(1 for _ in cursor)
    return payments, payments


def _in_sequence(*statements: str) -> Reader:
    """Read in one transaction, which holds the first lock while it waits for the second."""

    def read(connection: Session) -> tuple[int, int]:
        counts = []
        with connection.transaction():
            for statement in statements:
                counts.append(int((connection.execute(statement).fetchone() or (0,))[0] or 0))
                time.sleep(0.003)
        return min(counts), max(counts)

    return read


READERS: Final[dict[str, Reader]] = {
    "one order": _one_statement(_ONE_ORDER, prepare=False),
    "other order": _one_statement(_OTHER_ORDER, prepare=False),
    "one order, prepared": _one_statement(_ONE_ORDER, prepare=True),
    "other order, prepared": _one_statement(_OTHER_ORDER, prepare=True),
    "payments, then days": _in_sequence(_PAYMENTS, _DAYS),
    "days, then payments": _in_sequence(_DAYS, _PAYMENTS),
    "server-side cursor": _server_cursor,
}


class Seen:
    """The results of all readers. `longest_wait` is the longest wait for a lock in seconds."""

    def __init__(self) -> None:
        self.reads = 0
        self.fewest = 1 << 62
        self.longest_wait = 0.0
        self.errors: list[Exception] = []


@contextmanager
def reading(*, pause: float = 0.02) -> Iterator[Seen]:
    """Run all READERS until the block ends. `pause` is in seconds."""
    seen, done = Seen(), threading.Event()

    def loop(read: Reader) -> None:
        try:
            with session() as connection:
                while not done.wait(pause):
                    payments, counted = read(connection)
                    seen.fewest = min(seen.fewest, payments, counted)
                    seen.reads += 1
        except Exception as error:  # noqa: BLE001 - the test asserts that there are none
            seen.errors.append(error)

    def watch() -> None:
        # Ask the server, because times measured here would depend on the machine's load.
        with session() as connection:
            while not done.wait(0.005):
                ((waited,),) = connection.execute(_LONGEST_WAIT).fetchall()
                seen.longest_wait = max(seen.longest_wait, waited)

    threads = [threading.Thread(target=loop, args=(read,)) for read in READERS.values()]
    threads.append(threading.Thread(target=watch))
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        done.set()
        for thread in threads:
            thread.join()
