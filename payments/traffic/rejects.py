"""Write the refused rows of an import to a file that can be corrected and imported."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any, Final, Self

from payments.domain.card_numbers import holds_card_number
from payments.traffic.layout import Layout, RowError
from payments.traffic.lines import Line

_ADDED: Final = ["refused_line", "refused_code", "refused_reason"]
_OLD_HEADER: Final = b"line,code,reason,content"
_CARD_NUMBER: Final = "The line seems to contain a card number."


class RejectsError(ValueError):
    """The file would replace another kind of file. The message names it."""


class Rejects:
    """A file of refused rows: line, code and reason, then the columns of the input.

    If no row is refused, no file remains. `frequent` counts refusals by code, and `reasons` has the
    first reason for each code.
    """

    def __init__(self, path: Path, source: Path, layout: Layout) -> None:
        """Raise RejectsError if `path` is a file that no import wrote. Raises OSError."""
        _check(path, source)
        self.path = path
        self.frequent = Counter[str]()
        self.reasons: dict[str, str] = {}
        self._layout = layout
        self._added = len(_ADDED) if list(layout.names[: len(_ADDED)]) == _ADDED else 0

    def __enter__(self) -> Self:
        self.path.unlink(missing_ok=True)  # left by an earlier run
        self._file = self.path.open("x", newline="", encoding="utf-8")
        self._writer: Any = csv.writer(self._file, delimiter=self._layout.delimiter or ",")
        self._writer.writerow([*_ADDED, *self._layout.names[self._added :]])
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if not self.frequent:
            self.path.unlink(missing_ok=True)

    def add(self, line: Line, code: str, reason: str) -> None:
        content = line.content.decode(errors="replace")
        cells = self._cells(line, content)
        if holds_card_number(content):
            # Card numbers must not be stored, even in rows refused for another reason.
            cells, reason = [], _CARD_NUMBER
        self._writer.writerow([line.number, code, reason, *cells])
        self.frequent[code] += 1
        self.reasons.setdefault(code, reason)

    def _cells(self, line: Line, content: str) -> list[str]:
        try:
            return self._layout.cells(line)[self._added :]
        except RowError:
            return [content]


def _check(path: Path, source: Path) -> None:
    if path.exists() and path.samefile(source):
        raise RejectsError(f"--rejects {path} is the file to import. Name another file.")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise RejectsError(
            f"--rejects {path} is a link, a folder or a device. Name a regular file."
        )
    if not path.exists():
        return
    with path.open("rb") as file:
        beginning = file.read(len(_OLD_HEADER))
    if beginning and not beginning.startswith((_OLD_HEADER, _ADDED[0].encode())):
        raise RejectsError(
            f"--rejects {path} exists and does not contain refused rows. Name another file."
        )
