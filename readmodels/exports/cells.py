"""Cells of exported tables: text, numbers, amounts and times.

Spreadsheets take a text that begins with certain characters for a formula, even in a CSV file. Such a text
gets a leading apostrophe, as people would type it. Numbers stay numbers, negative ones too.

Where semicolons separate lists, as in Germany, a spreadsheet also begins a cell after a semicolon
or a line break inside a text. It ignores quotes that do not begin a cell.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Final, TypeGuard

from payments.domain.money import exponent

Cell = str | int | Decimal | datetime | date | bool | None

BOM: Final = "\ufeff"
# Includes the full-width characters, which Japanese and Chinese spreadsheets accept.
_FORMULA: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20"
# Spreadsheets ignore these before a formula.
_BLANKS: Final = " \u00a0\u3000"
_BEGIN_OF_FORMULA: Final = re.compile(
    rf"^(?=[{_BLANKS}]*[{_FORMULA}\t\r\n])|[;\t\r\n](?=[{_BLANKS}]*[{_FORMULA}])"
)
_SUSPECT: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20 \u00a0\u3000")


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
    # A shortcut for most texts: searching with the expression would take three times as long.
    if text[:1] not in _SUSPECT and not (
        ";" in text or "\n" in text or "\r" in text or "\t" in text
    ):
        return text
    return _BEGIN_OF_FORMULA.sub(r"\g<0>'", text)


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
