"""Make the file of an export: stream it at once, or let a worker make it in the background."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

import psycopg
from django.contrib.auth.models import AbstractBaseUser
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from payments import permissions
from payments.permissions import NotPermitted
from readmodels.admin.exports import lists
from readmodels.admin.exports.lists import ExportedList, WrongFilter
from readmodels.exports import files, leases, recording, snapshots, writing
from readmodels.exports.files import FolderUnusable
from readmodels.exports.leases import Lease, LeaseLost
from readmodels.exports.models import Export, Format, Kind, State
from readmodels.exports.snapshots import Snapshot
from readmodels.exports.writing import Chunk, Written

logger: Final = logging.getLogger(__name__)

AT_ONCE: Final = 50_000  # rows
_RENEWED_AFTER: Final = timedelta(seconds=2)
_DATABASE_ERRORS: Final = (DatabaseError, InterfaceError, psycopg.Error)


def permitted(by: str, listed: ExportedList) -> AbstractBaseUser:
    """Return the person. Raises NotPermitted unless they may export and see the list now."""
    permissions.require(by, listed.permission)
    return permissions.person(by, recording.LISTS)


def is_long(listed: ExportedList, user: AbstractBaseUser, query: str) -> bool:
    """Return whether the export must be made in the background. Raises WrongFilter."""
    return snapshots.has_more_than(listed.selected(user, query).rows, AT_ONCE)


def stream(export: Export) -> Iterator[bytes]:
    """Yield the file of a running export, and record its end.

    If the person closes the connection, the record says "interrupted" and how many rows were sent.
    """
    written, state, error = Written(), State.INTERRUPTED, ""
    try:
        with snapshots.snapshot() as snapshot:
            export.position = snapshot.position
            if export.format == Format.CSV:
                titles, chunks = _table(export, snapshot)
                yield from writing.csv_blocks(titles, chunks, written, with_bom=export.with_bom)
            else:
                yield from _workbook(export, snapshot, written)
        state = State.DONE
    except (*_DATABASE_ERRORS, OSError, FolderUnusable, NotPermitted, WrongFilter) as problem:
        state, error = State.FAILED, _described(problem)
        raise
    finally:
        Export.objects.filter(pk=export.pk, state=State.RUNNING).update(
            state=state,
            rows=written.rows,
            position=export.position,
            digest=written.digest if state is State.DONE else "",
            error=error,
            finished_at=timezone.now(),
        )


def work() -> bool:
    """Make the file of one waiting export. Return whether there was one.

    Raises database errors. The export then waits for another attempt.
    """
    lease = leases.claim(at=timezone.now())
    if lease is None:
        return False
    part: Path | None = None
    try:
        part = files.part_of(lease.export, lease.token)
        _make(lease, part)
    except LeaseLost:
        logger.info("Export %s has another worker, or was cancelled.", lease.export.pk)
    except (OSError, FolderUnusable, NotPermitted, WrongFilter) as problem:
        leases.fail(lease, _described(problem), at=timezone.now())
        logger.warning("Export %s failed: %s", lease.export.pk, problem)
    except _DATABASE_ERRORS:
        with suppress(*_DATABASE_ERRORS):
            leases.release(lease)
        raise
    except Exception as problem:
        # Do not try again: an unforeseen error would occur again.
        leases.fail(lease, type(problem).__name__, at=timezone.now())
        raise
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return True


def sweep() -> None:
    """Delete expired files, and clean up after killed processes."""
    now = timezone.now()
    leases.end_killed(at=now)
    Export.objects.filter(expires_at__lte=now).update(expires_at=None)
    kept = Export.objects.filter(expires_at__isnull=False).values_list("pk", flat=True)
    files.sweep(set(kept))


def file_name(export: Export) -> str:
    """Return the file name for the download, with the log position that the rows reflect."""
    at = f"-position-{export.position}" if export.position is not None else ""
    return f"{export.kind}-{export.requested_at:%Y-%m-%d-%H%M%S}{at}.{export.format}"


def _make(lease: Lease, part: Path) -> None:
    export, written = lease.export, Written()
    due = timezone.now()

    def progress() -> None:
        nonlocal due
        if (now := timezone.now()) >= due:
            leases.renew(lease, rows=written.rows, at=now)
            due = now + _RENEWED_AFTER

    with snapshots.snapshot() as snapshot:
        titles, chunks = _table(export, snapshot)
        if export.format == Format.CSV:
            with part.open("xb") as file:
                for block in writing.csv_blocks(titles, chunks, written, with_bom=export.with_bom):
                    file.write(block)
                    progress()
        else:
            name = Kind(export.kind).label
            writing.write_workbook(part, titles, chunks, written, name=name, progress=progress)
        position = snapshot.position
    # Check again: the person may have lost the role while the file was made.
    permitted(export.requested_by, _listed(export))
    with transaction.atomic():
        leases.complete(
            lease, rows=written.rows, digest=written.digest, position=position, at=timezone.now()
        )
        files.finish(part, export)


def _table(export: Export, snapshot: Snapshot) -> tuple[tuple[str, ...], Iterator[Chunk]]:
    """Return the titles and the lines of an export. Raises NotPermitted and WrongFilter."""
    listed = _listed(export)
    user = permitted(export.requested_by, listed)
    rows = listed.selected(user, export.query).rows
    lines = listed.columns.lines
    return listed.columns.titles, (lines(chunk, snapshot) for chunk in snapshot.chunks(rows))


def _workbook(export: Export, snapshot: Snapshot, written: Written) -> Iterator[bytes]:
    """Yield a workbook. It is written to a temporary file first, because it must be complete."""
    titles, chunks = _table(export, snapshot)
    with NamedTemporaryFile(
        dir=files.folder(), prefix=files.STREAMED, suffix=files.PART
    ) as temporary:
        path = Path(temporary.name)
        name = Kind(export.kind).label
        writing.write_workbook(path, titles, chunks, written, name=name)
        yield from writing.blocks_of(path)


def _listed(export: Export) -> ExportedList:
    listed = lists.find(export.kind)
    if listed is None:
        raise WrongFilter(f"{export.get_kind_display()} is not a list that can be exported.")
    return listed


def _described(problem: Any) -> str:
    """Return a message that explains to the person why the export failed."""
    if isinstance(problem, NotPermitted):
        return "Your role no longer includes this export."
    if isinstance(problem, OSError):
        return f"The file could not be written: {problem.strerror or problem}."
    if isinstance(problem, FolderUnusable | WrongFilter):
        return str(problem)
    return "The database could not be read. Try again."


def of_person(by: str) -> QuerySet[Export]:
    """Return the person's background exports of lists, newest first."""
    return Export.objects.filter(requested_by=by, in_background=True).order_by(
        "-requested_at", "-id"
    )
