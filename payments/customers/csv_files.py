"""Erase a customer from CSV files, such as refused rows of an import or exported lists."""

import csv
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from payments.customers.mentions import Mentions

ERASED: Final = "erased"
_RECORDS_A_STEP: Final = 10_000
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_UNDECODED: Final = re.compile("[\udc80-\udcff]")
_DELIMITERS: Final = (",", ";", "\t")
# These columns are not personal. The reference "7" would be found in many of their cells.
_IMPERSONAL: Final = {"amount", "currency", "method", "date", "line", "code"} | {
    "refused_line",
    "refused_code",
}


class FileError(Exception):
    """The file cannot be searched. The message names it."""


def check(path: Path) -> None:
    """Raise FileError unless the file can be read and replaced."""
    if not path.is_file():
        raise FileError(f"There is no file {path}.")
    if not os.access(path, os.R_OK) or not os.access(path.resolve().parent, os.W_OK):
        raise FileError(f"{path} cannot be read and replaced by this user.")
    with path.open("rb") as file:
        beginning = file.read(1024)
    if beginning.startswith(b"{"):
        raise FileError(f"{path} is not a CSV file. An export of events holds nothing personal.")
    if beginning.startswith(_UTF_16) or b"\0" in beginning:
        raise FileError(f"{path} cannot be searched: it is not UTF-8. Save it as UTF-8 first.")


def erase(
    path: Path, mentions: Mentions, *, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Replace the cells that `mentions` matches, and return their number. All other bytes are kept.

    The file is replaced atomically. `progress` gets the number of characters read.
    Raises OSError, FileError.
    """
    path = path.resolve()  # to replace the file, not a symbolic link to it
    draft = path.with_name(f".{path.name}.erasing")
    try:
        with (
            path.open(encoding="utf-8", errors="surrogateescape", newline="") as old,
            draft.open("w", encoding="utf-8", errors="surrogateescape", newline="") as new,
        ):
            shutil.copymode(path, draft)
            with suppress(PermissionError):  # only root can change and restore the owner
                shutil.chown(draft, path.stat().st_uid, path.stat().st_gid)
            erased = _copy(old, new, mentions, progress)
            new.flush()
            os.fsync(new.fileno())
        if erased:
            draft.replace(path)
    except csv.Error as error:
        raise FileError(f"{path} cannot be read as CSV: {error}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return erased


def _copy(old: IO[str], new: IO[str], mentions: Mentions, progress: Callable[[int], None]) -> int:
    header = old.readline()
    old.seek(0)
    delimiter = next((each for each in _DELIMITERS if each in header), ",")
    writer = csv.writer(
        new, delimiter=delimiter, lineterminator="\r\n" if header.endswith("\r\n") else "\n"
    )
    impersonal: set[int] = set()
    erased = done = 0
    for number, (text, cells) in enumerate(_records(old, delimiter)):
        done += len(text)
        if number % _RECORDS_A_STEP == 0:
            progress(done)
        if number == 0:
            names = [name.strip("\ufeff \t").lower() for name in cells]
            impersonal = {place for place, name in enumerate(names) if name in _IMPERSONAL}
        found = [
            place
            for place, cell in enumerate(cells)
            if place not in impersonal and any(map(mentions, _decodings(cell)))
        ]
        if not found:
            new.write(text)
            continue
        erased += len(found)
        writer.writerow(ERASED if place in found else cell for place, cell in enumerate(cells))
    return erased


def _decodings(cell: str) -> Iterator[str]:
    """Yield the cell as UTF-8 and, if its bytes are not UTF-8, as Windows-1252."""
    yield cell
    if not cell.isascii() and _UNDECODED.search(cell):
        yield cell.encode(errors="surrogateescape").decode("cp1252", errors="replace")


def _records(file: IO[str], delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the text of each record and its cells."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in file:
            taken.append(line)
            yield line

    for cells in csv.reader(lines(), delimiter=delimiter):
        yield "".join(taken), cells
        taken.clear()
