"""Verify a stored answer: ask its question again, and compare."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec
from django.db.models import Q

from payments.domain.backtest.digest import Difference, digest, first_difference
from payments.domain.backtest.question import ENGINE_VERSION
from payments.domain.backtest.result import Result
from readmodels.backtests import endings, questions, requests
from readmodels.backtests.leases import LEASE
from readmodels.backtests.models import Backtest, State


class NotVerifiable(Exception):
    """The backtest has no answer, or the answer of another version of the engine."""


@contextmanager
def repeated(backtest: Backtest, *, at: datetime) -> Iterator[Backtest]:
    """Yield a backtest that asks the same. It and those of interrupted verifications are deleted afterwards.

    Another verification that runs at the same time keeps its own. Raises NotVerifiable.
    """
    if backtest.state != State.DONE:
        state = backtest.get_state_display().lower()
        raise NotVerifiable(f"The backtest {backtest.pk} is {state}: it has no answer to verify.")
    if backtest.engine != ENGINE_VERSION:
        raise NotVerifiable(
            f"Engine {backtest.engine} computed the answer. This one has version {ENGINE_VERSION}."
        )
    repetition = requests.repeat(backtest, at=at)
    try:
        yield repetition
    finally:
        interrupted = Q(active_until__lte=at) | Q(finished_at__lte=at - LEASE)
        own = Q(pk=repetition.pk)
        for each in Backtest.objects.filter(own | interrupted, verifies=backtest):
            endings.cancel(each.pk, at=at)
            each.delete()


def difference(backtest: Backtest, repetition: Backtest) -> Difference | None:
    """Return the first cell that differs from the repetition, or the digest, or None if all is equal."""
    found = first_difference(answer(backtest), answer(repetition))
    if found is None and backtest.digest != digest(
        questions.question_of(backtest), answer(backtest)
    ):
        return Difference("digest", backtest.digest, repetition.digest)
    return found


def answer(backtest: Backtest) -> Result:
    """Return the stored answer of a backtest that is done."""
    return msgspec.convert(backtest.result, Result, str_keys=True)
