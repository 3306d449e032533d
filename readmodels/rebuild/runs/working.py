"""Carry out the run that waits: compare, or swap if the confirmed report is still true."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.text import Truncator

from payments import actors
from payments.database import require_transaction
from payments.events.reading import horizon
from readmodels.models.rebuilds import RebuildStep, RunState, StepKind
from readmodels.projections import PROJECTIONS
from readmodels.projections.kinds import Projection
from readmodels.rebuild import catalogue, schemas
from readmodels.rebuild.catalogue import CatalogueChanged
from readmodels.rebuild.compare import Comparison
from readmodels.rebuild.rebuilding import FAILURES, AlreadyRebuilding, rebuild
from readmodels.rebuild.runs import leases, reports
from readmodels.rebuild.runs.leases import Lease, LeaseLost

logger: Final = logging.getLogger(__name__)

_WORKER: Final = actors.system("worker")
_LONGEST_ERROR: Final = 500


class ComparisonChanged(Exception):
    """The tables no longer differ in the way that the confirmed report says."""

    def __init__(self, comparisons: Sequence[Comparison]) -> None:
        super().__init__("The comparison has changed since it was confirmed.")
        self.comparisons = comparisons


def run_waiting() -> None:
    """Carry out the run that waits for a worker, if there is one.

    Raises errors that are not in FAILURES, after it has stored them.
    """
    lease = leases.claim(at=timezone.now())
    if lease is None:
        return
    try:
        _work(lease)
    except LeaseLost:
        logger.info("Rebuild %s was cancelled, or has another worker.", lease.run_id)


def _work(lease: Lease) -> None:
    """Carry the run out and store its outcome. Raises LeaseLost, and what `run_waiting` raises."""
    try:
        with leases.renewed(lease):
            _carry_out(lease)
    except LeaseLost:
        raise
    except AlreadyRebuilding as error:
        # The other rebuild runs in a terminal, or for a cancelled run that is about to end. The
        # next turn tries again.
        leases.end(lease, error=str(error))
    except ComparisonChanged as changed:
        _report(lease, StepKind.CHANGED, changed.comparisons, confirmed="")
    except FAILURES as error:
        _fail(lease, str(error).strip())
    except Exception as error:
        _fail(lease, f"{type(error).__name__}: {error}")
        raise
    except BaseException:  # the worker is stopped, and the next one begins again
        leases.end(lease)
        raise


def _carry_out(lease: Lease) -> None:
    projections = _projections(lease)
    progress = leases.showing(lease, total=horizon.last_position())
    if lease.state is RunState.COMPARING:
        for projection in projections:  # fail now, not after a person has read the report
            catalogue.check_replaceable(schemas.live(), projection.model._meta.db_table)
        rebuilt = rebuild(projections, dry_run=True, progress=progress)
        _report(lease, StepKind.COMPARED, rebuilt.comparisons)
    else:
        rebuild(projections, progress=progress, accept=partial(_accept, lease))
        logger.info("Rebuild %s has swapped its tables in.", lease.run_id)


def _projections(lease: Lease) -> list[Projection]:
    for name in lease.names:
        if name not in PROJECTIONS:
            raise CatalogueChanged(f"The code has no projection {name} any more.")
    return [PROJECTIONS[name] for name in lease.names]


def _accept(lease: Lease, comparisons: Sequence[Comparison]) -> None:
    """Record the swap in the swap's transaction, so that neither happens without the other.

    Raises ComparisonChanged and LeaseLost, which prevent the swap.
    """
    require_transaction()
    if reports.digest(comparisons) != lease.confirmed:
        raise ComparisonChanged(comparisons)
    _report(lease, StepKind.SWAPPED, comparisons, ended_at=timezone.now())


_STATES: Final = {
    StepKind.COMPARED: RunState.COMPARED,
    StepKind.CHANGED: RunState.COMPARED,
    StepKind.SWAPPED: RunState.SWAPPED,
}


def _report(
    lease: Lease, kind: StepKind, comparisons: Sequence[Comparison], **changes: Any
) -> None:
    """Store the comparisons with the state that follows from `kind`. Raises LeaseLost."""
    digest = reports.digest(comparisons)
    with transaction.atomic():
        leases.end(
            lease,
            state=_STATES[kind],
            comparison=reports.stored(comparisons),
            digest=digest,
            **changes,
        )
        _record(lease, kind, note=digest)


def _fail(lease: Lease, why: str) -> None:
    logger.error("Rebuild %s failed: %s", lease.run_id, why)
    error = Truncator(why).chars(_LONGEST_ERROR)
    with transaction.atomic():
        leases.end(lease, state=RunState.FAILED, error=error, ended_at=timezone.now())
        _record(lease, StepKind.FAILED, note=error)


def _record(lease: Lease, kind: StepKind, *, note: str) -> None:
    RebuildStep.objects.create(
        run_id=lease.run_id, kind=kind, actor=_WORKER, at=timezone.now(), note=note
    )
