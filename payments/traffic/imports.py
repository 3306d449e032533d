"""Code that the imports of all kinds of files share."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from msgspec import Struct

from payments.traffic import amounts, lines
from payments.traffic.amounts import Amounts, Decimals
from payments.traffic.layout import Layout, RowError
from payments.traffic.lines import Line

# The rows in one transaction. Transactions must be short, because projections wait for open ones.
BATCH: Final = 500

# Gets a refused line, a code and a reason.
Refuse = Callable[[Line, str, str], None]

R = TypeVar("R")


class Report(Struct):
    """The numbers of rows by outcome.

    `run` is the correlation id of the events that this run added, None for a dry run.
    """

    run: str | None
    accepted: int = 0
    known: int = 0  # already in the log
    refused: int = 0


def batches(rows: Iterable[R]) -> Iterator[list[R]]:
    rows = iter(rows)
    while batch := list(itertools.islice(rows, BATCH)):
        yield batch


def amounts_of(
    path: Path, layout: Layout, decimals: Decimals | None, *, fields: tuple[str, ...]
) -> Amounts:
    """Return the parser for the amounts in `fields`. It may have to read the file once more."""

    def written() -> Iterator[tuple[str, str]]:
        for line in lines.read(path, layout.delimiter, skip=layout.header_records):
            with suppress(RowError):
                values = layout.values(line)
                for field in fields:
                    yield values.get(field, "").strip(), values.get("currency", "").strip()

    def have_commas() -> bool:
        return layout.delimiter == ";" or amounts.have_decimal_commas(written())

    return Amounts(decimals, cache(have_commas))
