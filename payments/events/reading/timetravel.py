"""Select the events that led to an earlier state of a stream, always a prefix of all events.

After an import, or after a clock was set back, an event may have occurred before its predecessors.
Selecting events one by one could leave gaps and return a history that never existed.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, TypeVar

from payments.database import execute
from payments.events.aggregates import E
from payments.events.reading import horizon
from payments.events.reading.horizon import HorizonHeld
from payments.events.reading.records import HistoricEvent, RecordedEvent

R = TypeVar("R", bound=RecordedEvent[Any])

_NOW: Final = "SELECT clock_timestamp()"
# The start time of prepared transactions, and of other roles' transactions, is not visible.
_BEGUN: Final = """
SELECT min(xact_start), count(xact_start) FROM pg_stat_activity WHERE pid = ANY(%(pids)s)
"""


class NoSuchVersion(Exception):
    """The stream has only `versions` events."""

    def __init__(self, version: int, versions: int) -> None:
        super().__init__(f"There is no version {version}: the newest one is {versions}.")
        self.versions = versions


def await_final(at: datetime, *, patience: float) -> datetime:
    """Return a time before which no further event will be recorded. Call this before you read the events.

    Raises HorizonHeld if, after `patience` seconds, an open transaction may still record an event
    by `at`.
    """
    ((now,),) = execute(_NOW)
    try:
        horizon.safe_position(patience=patience)
    except HorizonHeld as held:
        pids = [holder.pid for holder in held.holders if holder.pid is not None]
        ((begun, known),) = execute(_BEGUN, {"pids": pids})
        if known < len(held.holders) or at >= begun:
            raise
        return min(now, begun)  # type: ignore[no-any-return]
    return now  # type: ignore[no-any-return]


def at_version(history: Sequence[R], version: int) -> list[R]:
    """Return the first `version` events. Raises NoSuchVersion."""
    if not 1 <= version <= len(history):
        raise NoSuchVersion(version, len(history))
    return list(history[:version])


def recorded_by(history: Sequence[HistoricEvent[E]], at: datetime) -> list[HistoricEvent[E]]:
    """Return what the log held at that time: the longest prefix recorded by then."""
    return list(takewhile(lambda record: record.recorded_at <= at, history))


def occurred_by(history: Sequence[R], at: datetime) -> list[R]:
    """Return what had occurred at that time: the longest prefix that occurred by then."""
    return list(takewhile(lambda record: record.event.at <= at, history))
