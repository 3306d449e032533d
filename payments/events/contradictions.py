"""Find contradictions: a sequence, a reader or a seal that does not match the log.

A partial restore or a logical replica can cause them. The database then refuses to append. Its function
`events_log_problems` returns each problem and its repair.
"""

from collections.abc import Sequence
from typing import Final, Literal

from django.db import DatabaseError
from msgspec import Struct
from psycopg import Error

from payments.database import execute

Code = Literal["sequence_altered", "sequence_behind", "log_behind", "seals_missing"]

# With these contradictions, the log cannot be read in order, so even a rebuild is impossible.
OF_THE_SEQUENCE: Final[frozenset[Code]] = frozenset({"sequence_altered", "sequence_behind"})

_SQLSTATE: Final = "LG001"  # raised by the trigger events_event_refuse_behind
_SEQUENCE_ENDED: Final = "2200H"  # raised before the trigger runs
_PROBLEMS: Final = "SELECT code, problem, repair FROM events_log_problems()"


class Contradiction(Struct, frozen=True):
    """A problem, and the statement or command that repairs it."""

    code: Code
    problem: str
    repair: str

    def __str__(self) -> str:
        return f"{self.problem} Repair: {self.repair}"


class LogContradicted(Exception):
    """The log must not be read or written until an operator has repaired it."""

    @classmethod
    def by(cls, found: Sequence[Contradiction]) -> "LogContradicted":
        return cls(" ".join(map(str, found)))


def find() -> list[Contradiction]:
    """Return the current contradictions, the most fundamental first."""
    return [Contradiction(*row) for row in execute(_PROBLEMS)]


def refused_append(error: DatabaseError) -> LogContradicted | None:
    """Return the contradiction that made the database refuse an append, None for other errors."""
    cause = error.__cause__
    if isinstance(cause, Error) and cause.sqlstate == _SEQUENCE_ENDED:
        return LogContradicted.by(find())
    if not isinstance(cause, Error) or cause.sqlstate != _SQLSTATE:
        return None
    return LogContradicted(
        f"{cause.diag.message_primary} Repair: {cause.diag.message_hint}".replace("\n", " ")
    )


def of_taken_position() -> LogContradicted:
    """Return the contradiction that made the sequence assign a position twice.

    If the sequence has caught up with the log since then, appending again is enough.
    """
    found = find() or [
        Contradiction(
            "sequence_behind",
            "The sequence of the positions was behind the log, which it has now reached.",
            "Append again.",
        )
    ]
    return LogContradicted.by(found)
