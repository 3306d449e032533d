"""End a backtest: with a result, an error, or because a person cancelled it."""

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils.text import Truncator

from payments.domain.backtest.digest import digest
from payments.domain.backtest.result import result_of
from payments.domain.backtest.tally import Tally, merged
from readmodels.backtests import facts, questions
from readmodels.backtests.models import (
    UNFINISHED,
    Backtest,
    BacktestPart,
    PartState,
    Phase,
    State,
)

logger: Final = logging.getLogger(__name__)

_LONGEST_ERROR: Final = 500


def finish(backtest_id: UUID, *, at: datetime) -> None:
    """Add up the parts, unless one is not done yet or the backtest has ended."""
    with transaction.atomic():
        backtest = _locked(backtest_id)
        parts = BacktestPart.objects.filter(backtest=backtest_id)
        if backtest is None or parts.exclude(state=PartState.DONE).exists():
            return
        if _facts(parts, Phase.READ) != _facts(parts, Phase.FOLD):
            # A crash of the database server empties the unlogged table.
            logger.warning("Backtest %s begins again: its facts were lost.", backtest_id)
            facts.delete(backtest_id)
            parts.update(state=PartState.WAITING, tally=None, facts=None)
            return
        question = questions.question_of(backtest)
        result = result_of(merged(_tallies(parts)))
        _end(
            backtest_id,
            State.DONE,
            at,
            result=msgspec.to_builtins(result, str_keys=True),
            digest=digest(question, result),
        )


def fail(backtest_id: UUID, error: str, *, at: datetime) -> None:
    """End the backtest with an error, unless it has ended."""
    logger.error("Backtest %s failed: %s", backtest_id, error)
    _end_early(backtest_id, State.FAILED, at, error=Truncator(error).chars(_LONGEST_ERROR))


def cancel(backtest_id: UUID, *, at: datetime) -> bool:
    """End the backtest without a result. Return False if it has ended already."""
    return _end_early(backtest_id, State.CANCELLED, at)


def _end_early(backtest_id: UUID, state: State, at: datetime, **changes: Any) -> bool:
    with transaction.atomic():
        if _locked(backtest_id) is None:
            return False
        _end(backtest_id, state, at, **changes)
    facts.delete(backtest_id)
    return True


def _locked(backtest_id: UUID) -> Backtest | None:
    """Lock the backtest if it is unfinished."""
    unfinished = Backtest.objects.filter(pk=backtest_id, state__in=UNFINISHED)
    return unfinished.select_for_update(no_key=True).first()


def _end(backtest_id: UUID, state: State, at: datetime, **changes: Any) -> None:
    Backtest.objects.filter(pk=backtest_id).update(
        state=state, finished_at=at, active_until=None, **changes
    )
    BacktestPart.objects.filter(backtest=backtest_id).delete()


def _facts(parts: QuerySet[BacktestPart], phase: Phase) -> int:
    return parts.filter(phase=phase).aggregate(sum=Sum("facts", default=0))["sum"] or 0


def _tallies(parts: QuerySet[BacktestPart]) -> Iterator[Tally]:
    # A few at a time, because a tally may have hundreds of examples.
    for stored in parts.order_by("number").values_list("tally", flat=True).iterator(chunk_size=10):
        yield msgspec.convert(stored, Tally, str_keys=True)
