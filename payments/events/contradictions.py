"""What contradicts the log: a sequence, a reader or a seal that is not where the log is.

A restore of parts, or a logical replica, can leave them apart. The database refuses to append then; the
function `events_log_problems` says why, and what repairs it.
"""

from collections.abc import Sequence
from typing import Final, Literal

from django.db import DatabaseError
from msgspec import Struct
from psycopg import Error

from payments.events.database import execute

Code = Literal["sequence_altered", "sequence_behind", "log_behind", "seals_missing"]

# Nothing can be read in order meanwhile, so that not even a rebuild repairs anything.
OF_THE_SEQUENCE: Final[frozenset[Code]] = frozenset({"sequence_altered", "sequence_behind"})

_SQLSTATE: Final = "LG001"  # of the trigger events_event_refuse_behind
_PROBLEMS: Final = "SELECT code, problem, repair FROM events_log_problems()"


class Contradiction(Struct, frozen=True):
    """A problem in a sentence, and the statement or command that repairs it."""

    code: Code
    problem: str
    repair: str

    def __str__(self) -> str:
        return f"{self.problem} Repair: {self.repair}"


class LogContradicted(Exception):
    """The log must not be read or written until an operator has repaired it."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)

    @classmethod
    def by(cls, found: Sequence[Contradiction]) -> "LogContradicted":
        return cls(" ".join(map(str, found)))


def find() -> list[Contradiction]:
    """Return what contradicts the log now, the most fundamental first."""
    return [Contradiction(*row) for row in execute(_PROBLEMS)]


def refused_append(error: DatabaseError) -> LogContradicted | None:
    """Return why the database refused an append, if it was for a contradiction."""
    cause = error.__cause__
    if not isinstance(cause, Error) or cause.sqlstate != _SQLSTATE:
        return None
    return LogContradicted(
        f"{cause.diag.message_primary} Repair: {cause.diag.message_hint}".replace("\n", " ")
    )


def of_taken_position() -> LogContradicted:
    """Return why a position was given out again: the sequence is behind the log, or was until now."""
    found = find() or [
        Contradiction(
            "sequence_behind",
            "The sequence of the positions was behind the log, which it has now reached.",
            "Append again.",
        )
    ]
    return LogContradicted.by(found)
