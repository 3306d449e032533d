"""Add the lines of a file to a list."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Final

from msgspec import Struct

from payments.application import lists
from payments.application.lists import Author
from payments.domain.list_items import InvalidItem, Item, ListName, checked

_BATCH: Final = 500


class Refused(Struct, frozen=True):
    """A line that was not added, and the reason. It does not repeat the line."""

    line: int
    reason: str


class Batch(Struct, frozen=True):
    """Consecutive lines, which are now on the list or in `refused`. `lines` is the number of the last one."""

    lines: int
    added: int
    refused: tuple[Refused, ...]


def add(
    name: ListName,
    item: Item,
    lines: Iterable[str],
    author: Author,
    *,
    expires_at: datetime | None = None,
) -> Iterator[Batch]:
    """Add one value per line, batch by batch, each in a transaction. Empty lines are skipped.

    After an interruption, add the same file again: lines that are on the list are refused. Raises
    NotPermitted, TextError, ListRefused; the batches that were yielded stay.
    """
    numbered = enumerate(lines, start=1)
    while batch := list(islice(numbered, _BATCH)):
        values: dict[str, int] = {}  # the first line of each value
        refused = []
        for number, line in batch:
            try:
                value = checked(item, line.strip()) if line.strip() else None
            except InvalidItem as error:
                refused.append(Refused(number, str(error)))
                continue
            if value in values:
                refused.append(Refused(number, f"It repeats line {values[value]}."))
            elif value is not None:
                values[value] = number
        skipped = lists.add(name, list(values), author, expires_at=expires_at, skip=True)
        refused += [Refused(values[value], "It is on the list already.") for value in skipped]
        yield Batch(
            lines=batch[-1][0],
            added=len(values) - len(skipped),
            refused=tuple(sorted(refused, key=lambda each: each.line)),
        )
