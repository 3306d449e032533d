"""Read which seals an export covers, so that no export replaces a longer one."""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from payments.events.seals.seal import Statement

FORMAT: Final = "payments-export/1"
_FORCE: Final = "--force replaces it."
_BEGINNING: Final = f'{{"format":"{FORMAT}"'.encode()


class KeptExport(Exception):
    """The existing file was kept, because the new export does not contain all of it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}")


class Coverage(Struct, frozen=True):
    """The first and the last seal of an export."""

    first: Statement
    last: Statement


class _SealLine(Struct):
    seal: Statement


def check_is_file(path: Path) -> None:
    """Raise KeptExport if the path is a link, a folder or a device: an export replaces files only."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise KeptExport(path, "is a link, a folder or a device. Name a file.")


def read(path: Path) -> Coverage | None:
    """Return the coverage of the export, or None if it does not exist or has no seal yet.

    Raises OSError, and KeptExport if the file is not an export.
    """
    if not path.exists():
        return None
    seals: list[bytes] = []
    with path.open("rb") as file:
        beginning = file.readline()
        if beginning and not beginning.startswith(_BEGINNING):
            raise KeptExport(path, f"exists and is not an export. {_FORCE}")
        for line in file:
            if line.startswith(b'{"seal":') and line.endswith(b"\n"):
                seals[1:] = [line]
    try:
        found = [msgspec.json.decode(line, type=_SealLine).seal for line in seals]
    except msgspec.DecodeError as error:
        raise KeptExport(path, f"has a seal that cannot be read. {_FORCE}") from error
    return Coverage(found[0], found[-1]) if found else None


def check_replaces(path: Path, old: Coverage, first: int, last: int, chain: str | None) -> None:
    """Raise KeptExport unless seals `first` to `last` include all seals of the old export.

    `chain` is the new export's chain at the last seal of the old export.
    """
    covered = f"covers seals {old.first.number} to {old.last.number}"
    if first > old.first.number or last < old.last.number:
        raise KeptExport(path, f"{covered}, the new export {first} to {last}. {_FORCE}")
    if chain != old.last.chain:
        raise KeptExport(
            path,
            f"{covered} of another history: the log has a different seal {old.last.number} now. {_FORCE}",
        )
