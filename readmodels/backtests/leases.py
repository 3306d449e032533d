"""Divide the parts of backtests among workers.

A part has at most one worker, which holds its lease. The lease of a worker that was killed ends
after LEASE, and another worker then takes the part. A worker that lost its lease stores nothing.
Claims are serialized by one lock, which they hold for a millisecond. A transaction that locks a
backtest's row and its parts locks the row first. Otherwise two transactions could deadlock.
"""

from datetime import datetime, timedelta
from enum import Enum
from typing import Final
from uuid import UUID, uuid4

import msgspec
from django.db import transaction
from django.db.models import Q, QuerySet
from msgspec import Struct

from payments.database import execute, require_transaction
from payments.domain.backtest.tally import Tally
from readmodels.backtests.models import (
    UNFINISHED,
    Backtest,
    BacktestPart,
    PartState,
    Phase,
    State,
)

LEASE: Final = timedelta(seconds=60)
MOST_RUNNING: Final = 2  # backtests

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('backtests.leases', 0))"
_FREE: Final = {"lease": None, "leased_until": None}


class NoPart(Enum):
    """Why a worker gets no part of a backtest."""

    ENDED = "ended"  # it is done, cancelled or failed
    QUEUED = "queued"  # the limit of running backtests is reached
    BUSY = "busy"  # other workers have the parts that can be done now
    COMPLETE = "complete"  # all parts are done, but not added up yet


class Lease(Struct, frozen=True, kw_only=True):
    """A worker's lease on one part."""

    backtest_id: UUID
    number: int
    token: UUID
    phase: Phase
    first: int
    last: int


class LeaseLost(Exception):
    """Another worker has the part, or the backtest has ended."""


def lock() -> None:
    """Keep out other claims and requests until the end of the transaction."""
    require_transaction()
    execute(_LOCK)


def claim(backtest_id: UUID, *, at: datetime) -> Lease | NoPart:
    """Take the next part of the backtest. The first claim starts it."""
    with transaction.atomic():
        lock()
        backtest = Backtest.objects.filter(pk=backtest_id).first()
        return NoPart.ENDED if backtest is None else _claim(backtest, at)


def claim_in_background(*, at: datetime) -> tuple[Backtest, Lease | NoPart] | None:
    """Take a part of the first background backtest that has a free part or is complete.

    All workers together do one part at a time, because a backtest must not slow payments.
    """
    with transaction.atomic():
        lock()
        parts = BacktestPart.objects.filter(backtest__in_background=True, leased_until__gt=at)
        if parts.exists():
            return None
        waiting = Backtest.objects.filter(state__in=UNFINISHED, in_background=True)
        for backtest in waiting.order_by("created_at", "id"):
            found = _claim(backtest, at)
            if isinstance(found, Lease) or found is NoPart.COMPLETE:
                return backtest, found
    return None


def renew(lease: Lease, *, at: datetime) -> None:
    """Prolong the lease. Raises LeaseLost."""
    if not _held(lease).update(leased_until=at + LEASE):
        raise LeaseLost
    keep_active(lease.backtest_id, at)


def complete(lease: Lease, tally: Tally, *, facts: int) -> None:
    """Store the tally of the leased part and mark it done.

    Must run inside a transaction. Raises LeaseLost.
    """
    require_transaction()
    stored = msgspec.to_builtins(tally, str_keys=True)
    if not _held(lease).update(state=PartState.DONE, tally=stored, facts=facts, **_FREE):
        raise LeaseLost


def release(lease: Lease) -> None:
    """Give the unfinished part back."""
    _held(lease).update(state=PartState.WAITING, **_FREE)


def release_all(backtest_id: UUID) -> None:
    """Give back all parts of a backtest, and put it back into the queue. Its workers must have ended."""
    with transaction.atomic():
        lock()
        Backtest.objects.filter(pk=backtest_id, state__in=UNFINISHED).update(
            state=State.QUEUED, active_until=None
        )
        BacktestPart.objects.filter(backtest=backtest_id, state=PartState.RUNNING).update(
            state=PartState.WAITING, **_FREE
        )


def _claim(backtest: Backtest, at: datetime) -> Lease | NoPart:
    if not backtest.is_unfinished:
        return NoPart.ENDED
    if not backtest.is_worked_on(at) and _active(at).count() >= MOST_RUNNING:
        if not backtest.in_background and not backtest.is_active(at + LEASE / 2):
            keep_active(backtest.pk, at)
        return NoPart.QUEUED
    undone = BacktestPart.objects.filter(backtest=backtest).exclude(state=PartState.DONE)
    part = undone.filter(_is_free(at)).order_by("number").first()
    if part is None:
        return NoPart.BUSY if undone.exists() else NoPart.COMPLETE
    if part.phase == Phase.FOLD and undone.filter(phase=Phase.READ).exists():
        return NoPart.BUSY
    token = uuid4()
    started_at = backtest.started_at or at
    keep_active(backtest.pk, at, state=State.RUNNING, started_at=started_at)
    BacktestPart.objects.filter(pk=part.pk).update(
        state=PartState.RUNNING, lease=token, leased_until=at + LEASE
    )
    return Lease(
        backtest_id=backtest.pk,
        number=part.number,
        token=token,
        phase=Phase(part.phase),
        first=part.first,
        last=part.last,
    )


def _active(at: datetime) -> QuerySet[Backtest]:
    return Backtest.objects.filter(state=State.RUNNING, active_until__gt=at)


def _is_free(at: datetime) -> Q:
    return Q(state=PartState.WAITING) | Q(state=PartState.RUNNING, leased_until__lte=at)


def _held(lease: Lease) -> QuerySet[BacktestPart]:
    return BacktestPart.objects.filter(
        backtest=lease.backtest_id, number=lease.number, lease=lease.token
    )


def keep_active(backtest_id: UUID, at: datetime, **changes: object) -> None:
    """Show that a process works on the backtest, or waits for its turn."""
    Backtest.objects.filter(pk=backtest_id, state__in=UNFINISHED).update(
        active_until=at + LEASE, **changes
    )
