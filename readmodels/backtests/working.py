"""Work on backtests, part by part.

The result does not depend on the number of workers or the order of their work: each part is counted
separately, and sums commute.
"""

import gc
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Final, assert_never
from uuid import UUID

import psycopg
from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from payments.domain.backtest.evaluation import Evaluation
from payments.events.reading.horizon import UnreadableEvent
from payments.lists import entries
from readmodels.backtests import facts, leases, questions, reading
from readmodels.backtests.endings import fail, finish
from readmodels.backtests.leases import Lease, LeaseLost, NoPart
from readmodels.backtests.models import Backtest, Phase

logger: Final = logging.getLogger(__name__)

_RENEWED_AFTER: Final = timedelta(seconds=10)
_PAUSE_SECONDS: Final = 0.1
_DATABASE_ERRORS: Final = (DatabaseError, InterfaceError, psycopg.Error)


def take_turn(backtest_id: UUID) -> bool:
    """Do one part of the backtest, or add all parts up. Return False if it has ended.

    Waits a moment if the limit of running backtests is reached, or if other workers have all parts
    that can be done now. Raises errors of the database.
    """
    found = leases.claim(backtest_id, at=timezone.now())
    match found:
        case Lease():
            do(found)
        case NoPart.COMPLETE:
            finish(backtest_id, at=timezone.now())
        case NoPart.QUEUED | NoPart.BUSY:
            time.sleep(_PAUSE_SECONDS)
        case NoPart.ENDED:
            return False
        case _:
            assert_never(found)
    return True


def run_in_background(*, until: datetime) -> None:
    """Do parts of background backtests, one at a time, until `until`."""
    while (now := timezone.now()) < until:
        match leases.claim_in_background(at=now):
            case (_, Lease() as lease):
                do(lease)
            case (backtest, NoPart.COMPLETE):
                finish(backtest.pk, at=now)
            case _:
                return


def do(lease: Lease) -> None:
    """Do one part and store it. An event that cannot be read fails the backtest.

    Raises errors of the database. The part is then free for the next worker.
    """
    try:
        _do(lease)
    except LeaseLost:
        logger.info("Part %s of backtest %s has another worker.", lease.number, lease.backtest_id)
    except UnreadableEvent as error:
        fail(lease.backtest_id, str(error), at=timezone.now())
    except _DATABASE_ERRORS:
        with suppress(*_DATABASE_ERRORS):
            leases.release(lease)
        raise
    except Exception as error:
        # A retry would fail in the same way.
        fail(lease.backtest_id, f"{type(error).__name__}: {error}", at=timezone.now())
        raise
    except BaseException:
        leases.release(lease)
        raise


def _do(lease: Lease) -> None:
    backtest = Backtest.objects.filter(pk=lease.backtest_id).first()
    if backtest is None:
        raise LeaseLost
    question = questions.question_of(backtest)
    evaluation = Evaluation(
        question,
        questions.policies_at(question.upto),
        entries.types(question.lists, as_of=question.upto),
    )
    keep_alive = _keeping_alive(lease)
    with _without_collecting():
        if lease.phase is Phase.READ:
            found = reading.read(
                question, evaluation, first=lease.first, last=lease.last, keep_alive=keep_alive
            )
            count = len(found)
        else:
            found = []
            stored = facts.read(lease.backtest_id, lease.first)
            count = reading.fold(evaluation, stored, keep_alive=keep_alive)
    with transaction.atomic():
        # First, because it locks the part. A concurrent cancellation waits for the lock, and then
        # deletes the facts.
        leases.complete(lease, evaluation.tally, facts=count)
        if found:
            facts.store(lease.backtest_id, found, slices=questions.slices(backtest))
        if lease.phase is Phase.FOLD:
            facts.delete_slice(lease.backtest_id, lease.first)


def _keeping_alive(lease: Lease) -> Callable[[], None]:
    """Return a function that renews the lease when due. Call it about every second.

    The function raises LeaseLost.
    """
    due = timezone.now() + _RENEWED_AFTER

    def keep_alive() -> None:
        nonlocal due
        if (now := timezone.now()) >= due:
            leases.renew(lease, at=now)
            due = now + _RENEWED_AFTER

    return keep_alive


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Turn the garbage collector off, because events form no cycles and searching takes time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
