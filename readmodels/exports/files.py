"""The private folder of exported files: EXPORT_FOLDER. Web servers and workers share it."""

import os
import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings

from readmodels.exports.models import Export

_PART: Final = ".part"
# A part that nobody has written to for so long is left of a worker that was killed.
_LEFT_SECONDS: Final = 600
_SPARE_BYTES: Final = 100 * 10**6


class FolderUnusable(Exception):
    """No file can be written: the folder belongs to another user, or its disk is full."""


def folder() -> Path:
    """Return the folder, created if it is missing, readable by its owner only. Raises FolderUnusable."""
    path = Path(settings.EXPORT_FOLDER)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise FolderUnusable(f"The folder of exports cannot be used: {error.strerror}.") from error
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise FolderUnusable(
            f"{path} (EXPORT_FOLDER) must belong to the user of the service, with the mode 0700."
        )
    if shutil.disk_usage(path).free < _SPARE_BYTES:
        raise FolderUnusable("The disk of the exports is nearly full. Ask an operator to free it.")
    return path


def path_of(export: Export) -> Path:
    """Return the path of a finished file."""
    return Path(settings.EXPORT_FOLDER) / f"{export.pk}.{export.format}"


def part_of(export: Export, token: UUID) -> Path:
    """Return the path to write to. Two workers never write to the same file. Raises FolderUnusable."""
    return folder() / f"{export.pk}-{token}.{export.format}{_PART}"


def finish(part: Path, export: Export) -> None:
    """Give a part that was written completely its final name. Raises OSError."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.chmod(0o600)
    part.replace(path_of(export))


def remove(export: Export) -> None:
    """Delete the file of an export, if there is one. Raises OSError."""
    path_of(export).unlink(missing_ok=True)


def sweep(kept: Collection[UUID]) -> int:
    """Delete the files of all exports except those in `kept`, and old parts. Return how many."""
    path = Path(settings.EXPORT_FOLDER)
    if not path.is_dir():
        return 0
    names = {str(each) for each in kept}
    removed = 0
    for found in path.iterdir():
        is_part = found.suffix not in {".csv", ".xlsx"}
        is_old = time.time() - found.stat().st_mtime > _LEFT_SECONDS
        if (is_part and is_old) or (not is_part and found.stem not in names):
            shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)
            removed += 1
    return removed
