"""Give an active run to one worker at a time, which holds its lease.

A thread renews the lease, because an index or a comparison may take longer than LEASE. The lease of
a worker that was killed ends. The run is then stalled until a person starts it again, because a
rebuild that exhausts the memory must not begin again by itself. A worker that lost its lease stores
nothing and swaps nothing.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils import timezone
from msgspec import Struct

from payments.database import separate_connection
from readmodels.models.rebuilds import ACTIVE, RebuildRun, RunState

logger: Final = logging.getLogger(__name__)

LEASE: Final = timedelta(seconds=30)
_RENEWED_AFTER: Final = 5.0  # seconds
_SHOWN_AFTER: Final = timedelta(seconds=1)

_RENEW: Final = "UPDATE readmodels_rebuildrun SET leased_until = %(until)s WHERE lease = %(token)s"


class Lease(Struct, frozen=True, kw_only=True):
    """A worker's lease on a run, with the data of the run."""

    run_id: UUID
    token: UUID
    names: tuple[str, ...]
    state: RunState
    confirmed: str


class LeaseLost(Exception):
    """The run was cancelled, or was started again and has another worker."""


def claim(*, at: datetime) -> Lease | None:
    """Take the run that waits for a worker, if there is one."""
    token = uuid4()
    waiting = RebuildRun.objects.filter(state__in=ACTIVE, lease__isnull=True)
    if not waiting.update(lease=token, leased_until=at + LEASE, events=0, error=""):
        return None
    run = RebuildRun.objects.filter(lease=token).first()
    if run is None:  # cancelled in the meantime
        return None
    return Lease(
        run_id=run.pk,
        token=token,
        names=tuple(run.names),
        state=RunState(run.state),
        confirmed=run.confirmed,
    )


def held(lease: Lease) -> QuerySet[RebuildRun]:
    """Return the run if the worker still has it."""
    return RebuildRun.objects.filter(pk=lease.run_id, lease=lease.token)


def end(lease: Lease, **changes: Any) -> None:
    """Change the run and give it back. Raises LeaseLost."""
    if not held(lease).update(lease=None, leased_until=None, **changes):
        raise LeaseLost


@contextmanager
def renewed(lease: Lease) -> Iterator[None]:
    """Renew the lease until the block ends, unless it was lost."""
    done = threading.Event()
    thread = threading.Thread(target=_renew, args=(lease, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def showing(lease: Lease, *, total: int) -> Callable[[int], None]:
    """Return a function that stores the number of events read, of about `total`. It raises LeaseLost."""
    held(lease).update(total=total)
    due = timezone.now()

    def show(events: int) -> None:
        nonlocal due
        if (now := timezone.now()) >= due:
            if not held(lease).update(events=events):
                raise LeaseLost
            due = now + _SHOWN_AFTER

    return show


def _renew(lease: Lease, done: threading.Event) -> None:
    while not done.wait(_RENEWED_AFTER):
        until = timezone.now() + LEASE
        try:
            with separate_connection() as session:
                if not session.execute(_RENEW, {"until": until, "token": lease.token}).rowcount:
                    return
        except (DatabaseError, psycopg.Error) as error:
            logger.warning("The lease of rebuild %s was not renewed: %s", lease.run_id, error)
