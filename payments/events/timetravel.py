"""What a stream was earlier: always a prefix of its versions.

Never a selection of its events: one that was recorded late may have occurred before its neighbours
(an import, a clock that was set back), and a history with a hole in it never was.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile

from payments.events.store import RecordedEvent


class NoSuchVersion(Exception):
    """The stream has fewer events; `versions` says how many."""

    def __init__(self, version: int, versions: int) -> None:
        super().__init__(f"There is no version {version}: the newest one is {versions}.")
        self.versions = versions


def at_version(history: Sequence[RecordedEvent], version: int) -> list[RecordedEvent]:
    """The first `version` events. Raises NoSuchVersion."""
    if not 1 <= version <= len(history):
        raise NoSuchVersion(version, len(history))
    return list(history[:version])


def recorded_by(history: Sequence[RecordedEvent], at: datetime) -> list[RecordedEvent]:
    """What the log knew at that time: the longest prefix recorded by then."""
    return list(takewhile(lambda record: record.recorded_at <= at, history))


def occurred_by(history: Sequence[RecordedEvent], at: datetime) -> list[RecordedEvent]:
    """What had happened at that time: the longest prefix that occurred by then."""
    return list(takewhile(lambda record: record.event.at <= at, history))
