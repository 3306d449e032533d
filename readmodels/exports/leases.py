"""Give each background export to one worker at a time, which holds its lease.

The lease of a worker that was killed ends after LEASE. Another worker then begins the export again, because
its snapshot is lost. All workers together make one file at a time, so that payments keep most of the machine.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q, QuerySet
from msgspec import Struct

from payments.database import execute
from readmodels.exports.models import UNFINISHED, Export, State

LEASE: Final = timedelta(seconds=60)
LIFETIME: Final = timedelta(hours=24)
MOST_ATTEMPTS: Final = 3
# An export that a web server streams takes seconds. If one is unfinished after this time, its web
# server was killed.
STREAMED_AT_MOST: Final = timedelta(hours=1)

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('exports.leases', 0))"
_FREE: Final = {"lease": None, "leased_until": None}


class Lease(Struct, frozen=True):
    export: Export
    token: UUID


class LeaseLost(Exception):
    """Another worker has the export, or it was cancelled."""


def claim(*, at: datetime) -> Lease | None:
    """Take the export that has waited longest, unless another worker makes one."""
    with transaction.atomic():
        execute(_LOCK)
        _give_up(at)
        waiting = Export.objects.filter(in_background=True, state__in=UNFINISHED)
        if waiting.filter(leased_until__gt=at).exists():
            return None
        export = waiting.order_by("requested_at", "id").first()
        if export is None:
            return None
        token = uuid4()
        Export.objects.filter(pk=export.pk).update(
            state=State.RUNNING,
            lease=token,
            leased_until=at + LEASE,
            attempts=export.attempts + 1,
            rows=0,
        )
    export.refresh_from_db()
    return Lease(export, token)


def renew(lease: Lease, *, rows: int, at: datetime) -> None:
    """Prolong the lease and show the progress. Raises LeaseLost."""
    if not _held(lease).update(leased_until=at + LEASE, rows=rows):
        raise LeaseLost


def complete(lease: Lease, *, rows: int, digest: str, position: int, at: datetime) -> None:
    """Record the finished file in the caller's transaction. Raises LeaseLost."""
    done = {"rows": rows, "digest": digest, "position": position, "finished_at": at}
    if not _held(lease).update(state=State.DONE, expires_at=at + LIFETIME, **done, **_FREE):
        raise LeaseLost


def fail(lease: Lease, error: str, *, at: datetime) -> None:
    _held(lease).update(state=State.FAILED, error=error[:500], finished_at=at, **_FREE)


def release(lease: Lease) -> None:
    """Give the export back, for another attempt."""
    _held(lease).update(state=State.QUEUED, **_FREE)


def cancel(export_id: UUID, *, by: str, at: datetime) -> bool:
    """End the person's unfinished background export. Return whether it was unfinished."""
    waiting = Export.objects.filter(
        pk=export_id, requested_by=by, in_background=True, state__in=UNFINISHED
    )
    return bool(waiting.update(state=State.INTERRUPTED, finished_at=at, **_FREE))


def end_killed(*, at: datetime) -> int:
    """End the exports whose web server was killed while it sent them. Return how many."""
    killed = Export.objects.filter(
        in_background=False, state__in=UNFINISHED, requested_at__lt=at - STREAMED_AT_MOST
    )
    return killed.update(state=State.INTERRUPTED, finished_at=at)


def _give_up(at: datetime) -> None:
    """Fail the exports whose workers were killed again and again."""
    tried = Export.objects.filter(
        Q(leased_until__isnull=True) | Q(leased_until__lte=at),
        in_background=True,
        state__in=UNFINISHED,
        attempts__gte=MOST_ATTEMPTS,
    )
    error = f"{MOST_ATTEMPTS} attempts ended before the file was complete. Use a narrower filter."
    tried.update(state=State.FAILED, error=error, finished_at=at, **_FREE)


def _held(lease: Lease) -> QuerySet[Export]:
    return Export.objects.filter(pk=lease.export.pk, lease=lease.token)
