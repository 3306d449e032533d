"""Read the records of a file in bounded memory, and number equal records."""

from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import IO, Final

from msgspec import Struct

from payments.traffic.quotes import ESCAPE, Quotes, State, closed_line

MAX_BYTES: Final = 64 * 1024

_DIGEST_BYTES: Final = 16
# One bit for each of 2^27 digests, 16 MB. Of ten million records, 7 % are taken for repeated ones,
# which are then counted exactly. The size of the filter affects memory, not the result.
_FILTER_BITS: Final = 1 << 27


class Fault(Struct, frozen=True):
    """The reason why a line cannot be read as a record, with a stable code."""

    code: str
    reason: str


class Line(Struct, frozen=True):
    """A record, or a line of a record that cannot be read.

    `content` has no final line end. `ordinal` numbers equal records from 1. It is 0 with a fault, and
    for all records if they are not numbered.
    """

    number: int  # of its first line
    content: bytes
    ordinal: int
    position: int  # in bytes, after the record
    fault: Fault | None = None

    @property
    def key(self) -> str:
        """Return a key that is the same in every read and unique within the file."""
        return f"{_digest(self.content).hex()}:{self.ordinal}"


def header(path: Path) -> bytes:
    """Return the beginning of the file, which contains the column names. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES)


def records(file: IO[bytes], delimiter: str | None) -> Iterator[tuple[int, bytes, Fault | None]]:
    """Yield the line number of each record and its content, from the beginning of the file.

    Each line of an unreadable record is yielded separately, with the fault.
    """
    if file.read(len(BOM_UTF8)) != BOM_UTF8:
        file.seek(0)
    closed = closed_line(delimiter)
    number = 0
    while part := file.readline(MAX_BYTES):
        number += 1
        content = _end(part)
        # Nearly all lines have no quotes, or only simple ones.
        simple = b'"' not in part or (ESCAPE not in part and closed(content))
        if simple and part[-1:] == b"\n" and content[-1:] != b"\\":
            yield number, content, None
            continue
        record = _Record(file, number, part, Quotes(delimiter))
        yield from record.read()
        number = record.last


def read(path: Path, delimiter: str | None = ",", *, skip: int = 1) -> Iterator[Line]:
    """Yield the records that are not blank, without ordinals. Omit the first `skip` records.

    Raises OSError.
    """
    with path.open("rb") as file:
        for number, content, fault in _filled(file, delimiter, skip):
            yield Line(number, content, 0, file.tell(), fault)


def numbered(path: Path, delimiter: str | None = ",", *, skip: int = 1) -> Iterator[Line]:
    """Yield the same records as `read`, with ordinals. Reads the file twice. Raises OSError."""
    seen = Counter[bytes]()
    repeated = _perhaps_repeated(path, delimiter, skip)
    with path.open("rb") as file:
        for number, content, fault in _filled(file, delimiter, skip):
            if fault is not None:
                # Do not count this line, so that other records keep their keys when the fault is
                # corrected.
                yield Line(number, content, 0, file.tell(), fault)
                continue
            digest = _digest(content)
            if digest in repeated:
                seen[digest] += 1
            yield Line(number, content, seen[digest] or 1, file.tell())


def _perhaps_repeated(path: Path, delimiter: str | None, skip: int) -> set[bytes]:
    """Return the digests of all records that occur more than once, and of few others.

    This is a Bloom filter with one hash function.
    """
    bits = bytearray(_FILTER_BITS // 8)
    repeated = set()
    with path.open("rb") as file:
        for _, content, fault in _filled(file, delimiter, skip):
            if fault is not None:
                continue
            digest = _digest(content)
            place = int.from_bytes(digest[:8], "big") % _FILTER_BITS
            mask = 1 << (place & 7)
            if bits[place >> 3] & mask:
                repeated.add(digest)
            bits[place >> 3] |= mask
    return repeated


def _filled(
    file: IO[bytes], delimiter: str | None, skip: int
) -> Iterator[tuple[int, bytes, Fault | None]]:
    # A spreadsheet writes its empty rows as ";;;;".
    blank = b" \t\r\n" + (delimiter or "").encode()
    for place, record in enumerate(records(file, delimiter)):
        if place >= skip and record[1].strip(blank):
            yield record


class _Record:
    """A record with quotes, which may span several lines."""

    def __init__(self, file: IO[bytes], number: int, part: bytes, quotes: Quotes) -> None:
        self.last = number
        self._file, self._first, self._part, self._quotes = file, number, part, quotes

    def read(self) -> Iterator[tuple[int, bytes, Fault | None]]:
        lines = [(self.last, self._part)]
        size = len(self._part)
        too_long = self._take()
        while not too_long and not self._quotes.ended and self._next():
            lines.append((self.last, self._part))
            size += len(self._part)
            too_long = self._take() or size > MAX_BYTES
        fault = self._fault(too_long=too_long)
        if fault is None:
            yield self._first, _end(b"".join(line for _, line in lines)), None
            return
        for number, line in lines:
            yield number, _end(line), fault
        while too_long and not self._quotes.ended and self._next():
            self._take()
            yield self.last, _end(self._part), fault

    def _next(self) -> bool:
        self._part = self._file.readline(MAX_BYTES)
        self.last += bool(self._part)
        return bool(self._part)

    def _take(self) -> bool:
        """Process the quotes of the line; return whether it is too long for a record."""
        part = self._part
        if len(part) < MAX_BYTES or part.endswith(b"\n"):
            self._quotes.add(_end(part))
            return False
        while part:
            self._quotes.add_part(_end(part))
            if part.endswith(b"\n"):
                break
            part = self._file.readline(MAX_BYTES)
        return True

    def _fault(self, *, too_long: bool) -> Fault | None:
        begun = f"The row that begins in line {self._first}"
        if too_long:
            return Fault("line_too_long", f"{begun} has more than {MAX_BYTES} bytes.")
        if self._quotes.line_end_escaped:
            return Fault(
                "not_csv",
                f"{begun} has a line that ends with a backslash, so the next line may belong to it.",
            )
        if self._quotes.state is State.MALFORMED:
            return Fault("not_csv", f"{begun} has a quote that is not doubled within quotes.")
        if self._quotes.state is State.OPEN:
            return Fault("not_csv", f"{begun} opens a quote that is never closed.")
        return None


def _end(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST_BYTES).digest()
