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
    """The number of a line that was not added, and a reason that does not repeat its content."""

    line: int
    reason: str


class Batch(Struct, frozen=True):
    """The outcome for some consecutive lines. `lines` is the number of the last one.

    Each line is now on the list or in `refused`, or it was empty.
    """

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
    """Add one value per line, in batches with a transaction each. Empty lines are skipped.

    After an interruption, add the same file again. Values that are on the list already are refused.
    Raises NotPermitted, TextError, ListRefused. Batches that were yielded before remain stored.
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
