"""The private folder of exported files: EXPORT_FOLDER. Web servers and workers share it."""

import os
import re
import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings

from readmodels.exports.models import Export

# Name prefixes of files and folders that are needed only while a workbook is written.
STREAMED: Final = "streamed-"
WORKBOOK: Final = "workbook-"
PART: Final = ".part"
_ID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Files with other names are never deleted, because exports may not have made them.
_FINISHED: Final = re.compile(rf"{_ID}\.(?:csv|xlsx)")
_UNFINISHED: Final = re.compile(
    rf"(?:{_ID}-{_ID}\.(?:csv|xlsx)|{STREAMED}.*){re.escape(PART)}|{WORKBOOK}.*"
)
# A file that nobody has written to for this long was left by a killed worker. A younger file may be
# finished, although the transaction that records it is not committed yet.
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
    return folder() / f"{export.pk}-{token}.{export.format}{PART}"


def finish(part: Path, export: Export) -> None:
    """Give a part that was written completely its final name. Raises OSError."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.chmod(0o600)
    part.replace(path_of(export))


def sweep(kept: Collection[UUID]) -> int:
    """Delete old files of exports except those in `kept`, and old unfinished ones. Return how many."""
    path = Path(settings.EXPORT_FOLDER)
    if not path.is_dir():
        return 0
    names = {str(each) for each in kept}
    removed = 0
    for found in path.iterdir():
        is_finished = _FINISHED.fullmatch(found.name) is not None
        is_kept = found.stem in names if is_finished else not _UNFINISHED.fullmatch(found.name)
        if is_kept or not _is_old(found):
            continue
        shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)
        removed += 1
    return removed


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _LEFT_SECONDS
    except FileNotFoundError:  # finished in the meantime
        return False
