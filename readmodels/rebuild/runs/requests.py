"""The use cases of rebuilds on screen. Each takes one short transaction and records who did it.

`by` is an actor id. Each raises NotPermitted if the actor may not repair projections.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from payments import permissions
from readmodels.engine.parking import REPAIR
from readmodels.models.rebuilds import (
    ACTIVE,
    RebuildRun,
    RebuildStep,
    RunState,
    StepKind,
)
from readmodels.projections import PROJECTIONS

logger: Final = logging.getLogger(__name__)


class AnotherRun(Exception):
    """Another run is active."""

    def __init__(self) -> None:
        super().__init__("Another rebuild is running. Wait until it has ended, or cancel it.")


class UnknownProjection(Exception):
    """The code has no projection of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no projection {name!r}. Valid: {', '.join(PROJECTIONS)}.")


class UnknownRun(Exception):
    """There is no run with this id."""

    def __init__(self, run_id: UUID) -> None:
        super().__init__(f"There is no rebuild {run_id}.")


class ReportChanged(Exception):
    """The report is not the one that was confirmed."""

    def __init__(self) -> None:
        super().__init__("The report has changed in the meantime. Read it again.")


class WrongState(Exception):
    """The state of the run does not allow the command."""

    def __init__(self, run: RebuildRun) -> None:
        super().__init__(f"This rebuild is {run.state} now.")


def request(names: Sequence[str], *, by: str, at: datetime) -> RebuildRun:
    """Ask the workers to build new tables and compare them. Raises AnotherRun, UnknownProjection."""
    permissions.require(by, REPAIR)
    for name in names:
        if name not in PROJECTIONS:
            raise UnknownProjection(name)
    ordered = [name for name in PROJECTIONS if name in names]
    with _one_active():
        run = RebuildRun.objects.create(names=ordered, requested_by=by, requested_at=at)
        _record(run.pk, StepKind.REQUESTED, by=by, at=at)
    return run


def confirm(run_id: UUID, *, digest: str, by: str, at: datetime) -> None:
    """Ask the workers to build again, and to swap if the report with this digest is still true.

    Raises UnknownRun, WrongState, ReportChanged, AnotherRun.
    """
    permissions.require(by, REPAIR)
    with _one_active():
        compared = Q(state=RunState.COMPARED)
        changed = _change(
            run_id, compared & Q(digest=digest), state=RunState.SWAPPING, confirmed=digest
        )
        if changed:
            _record(run_id, StepKind.CONFIRMED, by=by, at=at, note=digest)
            return
    run = find(run_id)
    if run.state == RunState.COMPARED:
        raise ReportChanged
    if run.state != RunState.SWAPPING or run.confirmed != digest:  # otherwise a double click
        raise WrongState(run)


def cancel(run_id: UUID, *, by: str, at: datetime) -> None:
    """End a run without a swap. Its worker ends within moments. Raises UnknownRun, WrongState."""
    permissions.require(by, REPAIR)
    unended = Q(state__in=(*ACTIVE, RunState.COMPARED))
    ended = {"state": RunState.CANCELLED, "ended_at": at, "error": ""}
    with transaction.atomic():
        if _change(run_id, unended, lease=None, leased_until=None, **ended):
            _record(run_id, StepKind.CANCELLED, by=by, at=at)
            return
    raise WrongState(find(run_id))


def restart(run_id: UUID, *, by: str, at: datetime) -> None:
    """Give a stalled or failed run to the workers again. A confirmed report stays confirmed.

    Raises UnknownRun, WrongState, AnotherRun.
    """
    permissions.require(by, REPAIR)
    stalled = Q(state__in=ACTIVE, leased_until__lte=at)
    failed = Q(state=RunState.FAILED)
    waiting: dict[str, Any] = {"lease": None, "leased_until": None, "ended_at": None, "error": ""}
    with _one_active():
        if (
            _change(run_id, stalled, **waiting)
            or _change(run_id, failed & Q(confirmed=""), state=RunState.COMPARING, **waiting)
            or _change(run_id, failed & ~Q(confirmed=""), state=RunState.SWAPPING, **waiting)
        ):
            _record(run_id, StepKind.RESTARTED, by=by, at=at)
            return
    raise WrongState(find(run_id))


def find(run_id: UUID) -> RebuildRun:
    """Return a run. Raises UnknownRun."""
    run = RebuildRun.objects.filter(pk=run_id).first()
    if run is None:
        raise UnknownRun(run_id)
    return run


def active() -> RebuildRun | None:
    """Return the run that is active, if there is one."""
    return RebuildRun.objects.filter(state__in=ACTIVE).first()


@contextmanager
def _one_active() -> Iterator[None]:
    """Open a transaction. Raises AnotherRun if it would make a second run active."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "rebuild_run_one_active" not in str(error):
            raise
        raise AnotherRun from error


def _change(run_id: UUID, condition: Q, **changes: Any) -> int:
    return RebuildRun.objects.filter(condition, pk=run_id).update(**changes)


def _record(run_id: UUID, kind: StepKind, *, by: str, at: datetime, note: str = "") -> None:
    RebuildStep.objects.create(run_id=run_id, kind=kind, actor=by, at=at, note=note)
    logger.info("Rebuild %s was %s by %s.", run_id, kind, by)
