"""Exports of lists, requested as a browser does."""

import csv
import io
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from readmodels.exports.models import Export, Format, Kind, State


def address(kind: str, query: str = "") -> str:
    return reverse("export", args=[kind]) + query


def export(
    person: Browser, kind: str, query: str = "", *, chosen: str = "csv", follow: bool = False
) -> Any:
    return person.post(address(kind, query), {"format": chosen}, follow=follow)


def running(person: Browser, kind: Kind, at: Any = None) -> Export:
    return Export.objects.create(
        kind=kind,
        format=Format.CSV,
        requested_by=f"staff:{person.session['_auth_user_id']}",
        requested_at=at or timezone.now(),
        state=State.RUNNING,
    )


def lines(content: bytes) -> list[list[str]]:
    """Return the lines of a CSV file without the titles."""
    return list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]


def table(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode(), newline="")))


def files_in_folder() -> Iterator[Path]:
    return Path(settings.EXPORT_FOLDER).iterdir()


def age_files(folder: Path) -> None:
    """Make the files look as if they were last written an hour ago."""
    for path in folder.iterdir():
        written = path.stat().st_mtime - 3_600
        os.utime(path, (written, written))


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limit the size of files that this process may write, to simulate a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
