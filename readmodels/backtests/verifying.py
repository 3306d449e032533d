"""Verify a stored result: ask the question again, and compare."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from payments.domain.backtest.digest import Difference, digest, first_difference
from payments.domain.backtest.question import ENGINE_VERSION
from readmodels.backtests import endings, questions, requests
from readmodels.backtests.leases import LEASE
from readmodels.backtests.models import UNFINISHED, Backtest, State


class NotVerifiable(Exception):
    """The backtest has no result, or the result of another version of the engine."""


@contextmanager
def repeated(backtest: Backtest, *, at: datetime) -> Iterator[Backtest]:
    """Yield a repetition of the backtest, and delete it afterwards.

    Also deletes the repetitions of killed verifications, but not those of running ones. Raises
    NotVerifiable.
    """
    if backtest.state != State.DONE:
        state = backtest.get_state_display().lower()
        raise NotVerifiable(f"The backtest {backtest.pk} is {state}: it has no result to verify.")
    if backtest.engine != ENGINE_VERSION:
        raise NotVerifiable(
            f"Engine {backtest.engine} computed the result. This release has engine {ENGINE_VERSION}."
        )
    repetition = requests.repeat(backtest, at=at)
    try:
        yield repetition
    finally:
        _delete(Q(pk=repetition.pk))
        sweep(at=at)


def sweep(*, at: datetime) -> None:
    """Delete the repetitions of all verifications that were killed."""
    abandoned = Q(active_until=None) | Q(active_until__lte=at)
    _delete(Q(state__in=UNFINISHED) & abandoned | Q(finished_at__lte=at - LEASE))


def _delete(which: Q) -> None:
    for each in Backtest.objects.filter(which, verifies__isnull=False):
        endings.cancel(each.pk, at=timezone.now())
        each.delete()


def difference(backtest: Backtest, repetition: Backtest) -> Difference | None:
    """Return the first cell that differs, or the digest, or None if nothing differs."""
    result = questions.stored_result(backtest)
    found = first_difference(result, questions.stored_result(repetition))
    if found is None and backtest.digest != digest(questions.question_of(backtest), result):
        return Difference("digest", backtest.digest, repetition.digest)
    return found
