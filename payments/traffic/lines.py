"""A file's lines, a bounded number of bytes at a time, with the number of equal ones before each."""

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import IO, Final

from msgspec import Struct

MAX_BYTES: Final = 64 * 1024

_DIGEST_BYTES: Final = 16
# One bit for each of 2^27 digests, 16 MB: of ten million lines 7 % pass for repeated and are counted
# exactly after all, so it costs memory and never truth.
_FILTER_BITS: Final = 1 << 27


class Line(Struct, frozen=True):
    """`content` is without its line end; `ordinal` is 1 for the first of equal lines."""

    number: int
    content: bytes
    ordinal: int
    position: int  # in bytes, after the line
    too_long: bool = False

    @property
    def key(self) -> str:
        """The same whenever the file is read, and different for each of its lines."""
        return f"{_digest(self.content).hex()}:{self.ordinal}"


def header(path: Path) -> bytes:
    """The first line. Raises OSError."""
    with path.open("rb") as file:
        return _end(file.readline(MAX_BYTES))


def read(path: Path) -> Iterator[Line]:
    """Yield the lines after the header that are not empty. Reads the file twice. Raises OSError."""
    seen = Counter[bytes]()
    repeated = _perhaps_repeated(path)
    with path.open("rb") as file:
        for number, content, too_long in _numbered(file):
            digest = _digest(content)
            if digest in repeated:
                seen[digest] += 1
            yield Line(number, content, seen[digest] or 1, file.tell(), too_long)


def _perhaps_repeated(path: Path) -> set[bytes]:
    """The digests of all lines that occur more than once, and of few others.

    A Bloom filter with one hash function (Bloom, 1970).
    """
    bits = bytearray(_FILTER_BITS // 8)
    repeated = set()
    with path.open("rb") as file:
        for _, content, _ in _numbered(file):
            digest = _digest(content)
            place = int.from_bytes(digest[:8], "big") % _FILTER_BITS
            mask = 1 << (place & 7)
            if bits[place >> 3] & mask:
                repeated.add(digest)
            bits[place >> 3] |= mask
    return repeated


def _numbered(file: IO[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    number = 0
    while chunk := file.readline(MAX_BYTES):
        number += 1
        too_long = len(chunk) == MAX_BYTES and not chunk.endswith(b"\n")
        content, rest = chunk, chunk
        while too_long and rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_BYTES)
        if number > 1 and content.strip():
            yield number, _end(content), too_long


def _end(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST_BYTES).digest()
