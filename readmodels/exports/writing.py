"""Write rows as CSV or as a workbook, in constant memory, with the digest of the file."""

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import xlsxwriter
from msgspec import Struct
from xlsxwriter.exceptions import FileCreateError

from readmodels.exports import cells, files
from readmodels.exports.cells import Cell
from readmodels.exports.models import Format

Chunk = Sequence[Sequence[Cell]]

# The lines that a sheet of a workbook can have, including the titles.
MOST_LINES: Final = 1_048_576
# Numbers in a workbook are floating-point, so larger ones would be rounded.
_MOST_EXACT: Final = 10**15
_BLOCK: Final = 1 << 20
CONTENT_TYPES: Final = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class Written(Struct):
    """What was written so far. `digest` is complete at the end."""

    rows: int = 0
    digest: str = ""


def csv_blocks(
    titles: Sequence[str], chunks: Iterable[Chunk], written: Written, *, with_bom: bool
) -> Iterator[bytes]:
    """Yield a CSV file in blocks, and update `written` with each block."""
    running = sha256()
    begin = cells.BOM if with_bom else ""
    block = (begin + cells.csv_lines([titles])).encode()
    running.update(block)
    yield block
    for chunk in chunks:
        block = cells.csv_lines(chunk).encode()
        running.update(block)
        written.rows += len(chunk)
        yield block
    written.digest = running.hexdigest()


def write_workbook(
    path: Path,
    titles: Sequence[str],
    chunks: Iterable[Chunk],
    written: Written,
    *,
    name: str,
    progress: Callable[[], None] = lambda: None,
    most_lines: int = MOST_LINES,
) -> None:
    """Write a workbook. Rows that do not fit on a sheet go to another one.

    Temporary files are in the folder of `path`. Raises OSError.
    """
    with TemporaryDirectory(dir=path.parent, prefix=files.WORKBOOK) as folder:
        _write(path, titles, chunks, written, name, progress, most_lines, folder)
    written.digest = digest_of(path)


def _write(
    path: Path,
    titles: Sequence[str],
    chunks: Iterable[Chunk],
    written: Written,
    name: str,
    progress: Callable[[], None],
    most_lines: int,
    folder: str,
) -> None:
    options = {
        "constant_memory": True,
        "tmpdir": folder,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    workbook = xlsxwriter.Workbook(str(path), options)
    bold = workbook.add_format({"bold": True})
    sheet, line, number = None, most_lines, 0
    try:
        for chunk in chunks:
            for row in chunk:
                if line >= most_lines:
                    number += 1
                    sheet = workbook.add_worksheet(name if number == 1 else f"{name} {number}")
                    sheet.freeze_panes(1, 0)
                    sheet.write_row(0, 0, titles, bold)
                    line = 1
                _write_line(sheet, line, row)
                line += 1
            written.rows += len(chunk)
            progress()
        if sheet is None:
            workbook.add_worksheet(name).write_row(0, 0, titles, bold)
        workbook.close()
    except FileCreateError as error:
        _close_sheets(workbook)
        raise OSError(errno.EIO, f"The workbook cannot be written: {error}") from error
    except BaseException:
        _close_sheets(workbook)
        raise


def _close_sheets(workbook: Any) -> None:
    """Close the files of the sheets, which xlsxwriter leaves open after an error."""
    for sheet in workbook.worksheets():
        with suppress(OSError):
            sheet.row_data_fh.close()


def _write_line(sheet: Any, line: int, row: Sequence[Cell]) -> None:
    for column, cell in enumerate(row):
        if cell is None or cell == "":
            continue
        if cells.is_number(cell) and -_MOST_EXACT < cell < _MOST_EXACT:
            sheet.write_number(line, column, cell)
        else:
            sheet.write_string(line, column, cells.text_of(cell))


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    running = sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            running.update(block)
    return running.hexdigest()


def blocks_of(path: Path) -> Iterator[bytes]:
    """Yield the content of a file, which may be deleted while it is read."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
