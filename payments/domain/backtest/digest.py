"""The digest of a result, and the first difference between two results."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from payments.domain.backtest.question import ENGINE_VERSION, Question
from payments.domain.backtest.result import Result


class Difference(Struct, frozen=True):
    """A place where two results differ.

    `first` and `second` are the values in the results, None if a result lacks the place.
    """

    place: str
    first: str | int | None
    second: str | int | None

    def __str__(self) -> str:
        return f"{self.place}: {_shown(self.first)} and {_shown(self.second)}"


def digest(question: Question, result: Result) -> str:
    """Return the hex SHA-256 of the engine's version, the question and the result.

    Each policy is represented by its id, which is the hash of its content.
    """
    hashed = msgspec.to_builtins(question)
    hashed["candidate"] = question.candidate.policy_id
    hashed["baseline"] = None if question.baseline is None else question.baseline.policy_id
    return hash_of({"question": hashed, "result": result})


def hash_of(document: Mapping[str, object]) -> str:
    """Return the hex SHA-256 of the engine's version and a document."""
    hashed = {"engine": ENGINE_VERSION, **document}
    return sha256(msgspec.json.encode(hashed, order="deterministic")).hexdigest()


def first_difference(first: Result, second: Result) -> Difference | None:
    """Return the first cell in which the results differ, None if they agree.

    Cells of the matrix come first: they show more than the totals that depend on them.
    """
    found = _differences("", msgspec.to_builtins(first), msgspec.to_builtins(second))
    return min(found, key=lambda each: not each.place.startswith("matrix"), default=None)


def _differences(place: str, first: Any, second: Any) -> Iterator[Difference]:
    if isinstance(first, tuple) and isinstance(second, tuple):
        first, second = _named(first), _named(second)
    if isinstance(first, dict) or isinstance(second, dict):
        first, second = first or {}, second or {}
        for name in first | second:
            within = f"{place}, {name}" if place else str(name)
            yield from _differences(within, first.get(name), second.get(name))
    elif first != second:
        yield Difference(place, first, second)


def _named(rows: tuple[dict[str, Any], ...]) -> dict[str, dict[str, Any]]:
    """Return the numbers of each row, keyed by its texts, which identify the row."""
    return {
        " ".join(value for value in row.values() if isinstance(value, str)): {
            name: value for name, value in row.items() if not isinstance(value, str)
        }
        for row in rows
    }


def _shown(value: object) -> str:
    return "missing" if value is None else str(value)
