"""Temporary database errors: messages for people, and a limit on how often they are logged.

An outage is not the fault of the command or of the code, so the caller can retry later.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import DatabaseError, InterfaceError, OperationalError
from msgspec import Struct

logger: Final = logging.getLogger(__name__)

# The shortest time between two tracebacks. Those of one outage differ little.
_TRACEBACK_SECONDS: Final = 60.0
_LINE_SECONDS: Final = 1.0
# How long `unwritable` reports a failed write, because reads may still succeed.
_REMEMBERED_SECONDS: Final = 15.0


class Outage(Struct, frozen=True):
    """A code for programs, a sentence for people, and the seconds to wait before a retry."""

    code: str
    sentence: str
    retry_after: int = 1


_AWAY: Final = Outage("away", "The database cannot be reached.")
_STARTING: Final = Outage("starting", "The database is starting, stopping or recovering.")
_FULL: Final = Outage("full", "The database has no room left.", 5)
_BUSY: Final = Outage("busy", "The database has too much to do at the moment.")
READ_ONLY: Final = Outage("read_only", "The database is read-only at the moment.", 5)

_BY_STATE: Final = {
    "25006": READ_ONLY,  # default_transaction_read_only, or a standby
    "40001": _BUSY,  # serialization failure
    "40P01": _BUSY,  # deadlock
    "53100": _FULL,
    "53200": _BUSY,  # out of memory
    "53300": Outage("busy", "The database admits no more connections at the moment."),
    "55000": _STARTING,  # a standby, for example
    "55P03": _BUSY,  # a lock was not available in time
    "57014": Outage("busy", "The database took too long."),
    "57P01": _STARTING,
    "57P02": _STARTING,
    "57P03": _STARTING,
}
# The error of a refused connection has no SQLSTATE, only a message.
_BY_TEXT: Final = {
    "the database system is": _STARTING,
    "too many": _BY_STATE["53300"],
    "remaining connection slots": _BY_STATE["53300"],
}
# In these outages only writes fail, so a successful read proves nothing.
_OF_WRITES: Final = {"read_only", "full"}


def of(error: BaseException) -> Outage | None:
    """Return the outage behind a database error, None for any other error."""
    if not isinstance(error, DatabaseError | InterfaceError):
        return None
    state = getattr(error.__cause__, "sqlstate", None)
    if state in _BY_STATE:
        return _BY_STATE[state]
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    text = str(error)
    return next((outage for part, outage in _BY_TEXT.items() if part in text), _AWAY)


def report(error: BaseException, outage: Outage) -> None:
    """Log the outage: at most one line per second and one traceback per minute."""
    _reporter.report(error, outage)


@contextmanager
def reported() -> Iterator[None]:
    """Log an outage instead of raising it, for tasks that beat starts again anyway."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        outage = of(error)
        if outage is None:
            raise
        report(error, outage)


def unwritable() -> Outage | None:
    """Return the outage that made a write of this process fail recently, None if there was none."""
    return _reporter.unwritable()


class _Reporter:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line_at = self._traceback_at = float("-inf")
        self._unlogged = 0
        self._failed_write: tuple[Outage, float] | None = None

    def report(self, error: BaseException, outage: Outage) -> None:
        now = time.monotonic()
        with self._lock:
            if outage.code in _OF_WRITES:
                self._failed_write = outage, now
            if now - self._line_at < _LINE_SECONDS:
                self._unlogged += 1
                return
            with_traceback = now - self._traceback_at >= _TRACEBACK_SECONDS
            self._line_at = now
            if with_traceback:
                self._traceback_at = now
            unlogged, self._unlogged = self._unlogged, 0
        more = f" ({unlogged} more since the last line)" if unlogged else ""
        first = str(error).partition("\n")[0]
        logger.warning(
            "%s%s: %s", outage.sentence, more, first, exc_info=error if with_traceback else None
        )

    def unwritable(self) -> Outage | None:
        failed = self._failed_write
        if failed is None or time.monotonic() - failed[1] > _REMEMBERED_SECONDS:
            return None
        return failed[0]


_reporter: Final = _Reporter()
