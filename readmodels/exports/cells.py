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
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
# Spreadsheets ignore these before a formula.
_BLANKS: Final = " \u00a0\u3000"


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
        return cell.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)


def is_number(cell: Cell) -> TypeGuard[int | Decimal]:
    return isinstance(cell, int | Decimal) and not isinstance(cell, bool)


def safe(text: str) -> str:
    """Return the text so that no spreadsheet takes it for a formula."""
    return (
        f"'{text}" if text.lstrip(_BLANKS).startswith(_FORMULA) or text.startswith("\n") else text
    )


def csv_lines(rows: Iterable[Sequence[Cell]]) -> str:
    """Return the rows as CSV (RFC 4180)."""
    buffer = StringIO()
    csv.writer(buffer).writerows(
        [str(cell) if is_number(cell) else safe(text_of(cell)) for cell in row] for row in rows
    )
    return buffer.getvalue()
