"""Cells of exported tables: text, numbers, amounts and times.

Spreadsheets take a text that begins with certain characters for a formula, even in a CSV file. Such a text
gets a leading apostrophe, as people would type it. Numbers stay numbers, negative ones too.
"""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Final, TypeGuard

from payments.domain.money import exponent

Cell = str | int | Decimal | datetime | date | bool | None

BOM: Final = "\ufeff"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
# Spreadsheets ignore these before a formula.
_BLANKS: Final = " \u00a0\u3000"
_SUSPECT: Final = frozenset((*_FORMULA, *_BLANKS))


def amount(minor: int | None, currency: str) -> Decimal | None:
    """Return an amount in major units, such as 19.99."""
    return None if minor is None else Decimal(minor).scaleb(-exponent(currency))


def text_of(cell: Cell) -> str:
    """Return the cell as text. Times are in UTC and in ISO format."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, datetime):
        return f"{cell.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)


def is_number(cell: Cell) -> TypeGuard[int | Decimal]:
    return isinstance(cell, int | Decimal) and not isinstance(cell, bool)


def safe(text: str) -> str:
    """Return the text so that no spreadsheet takes it for a formula."""
    if text[:1] not in _SUSPECT:
        return text
    return f"'{text}" if text.lstrip(_BLANKS).startswith(_FORMULA) else text


def csv_lines(rows: Iterable[Sequence[Cell]]) -> str:
    """Return the rows as CSV (RFC 4180)."""
    buffer = StringIO()
    csv.writer(buffer).writerows([_written(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def _written(cell: Cell) -> object:
    """Return the cell as the writer takes it. It writes numbers itself, and None as an empty cell."""
    kind = type(cell)
    if kind is str:
        return safe(cell)  # type: ignore[arg-type]
    if kind is int or kind is Decimal or cell is None:
        return cell
    return safe(text_of(cell))
