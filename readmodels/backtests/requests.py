"""The use cases of backtests, for the command line, the API and the back office.

Each takes one short transaction, logs the change, and refuses actors who may not make it. `by` is an actor
id. Everyone who sees policies may see backtests.
"""

import logging
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q
from msgspec import Struct

from payments import permissions
from payments.domain.backtest.labels import MATURE
from payments.domain.backtest.question import ENGINE_VERSION, Mode, Question
from payments.domain.backtest.sampling import WHOLE
from payments.domain.risk.policy import RiskPolicy
from payments.events.reading import horizon, ranges
from readmodels.backtests import endings, leases, questions
from readmodels.backtests.models import UNFINISHED, Backtest, BacktestPart, PartState

logger: Final = logging.getLogger(__name__)

RUN: Final = "backtests.run_backtest"
MOST_UNFINISHED: Final = 10


class TooManyBacktests(Exception):
    """The limit of unfinished backtests is reached."""

    def __init__(self) -> None:
        super().__init__(
            f"{MOST_UNFINISHED} backtests are not finished. Wait for one, or cancel one."
        )


class UnknownBacktest(Exception):
    """There is no backtest with this id."""

    def __init__(self, backtest_id: UUID) -> None:
        super().__init__(f"There is no backtest {backtest_id}.")


class BacktestEnded(Exception):
    """The backtest is done, cancelled or failed, so it can be neither resumed nor cancelled."""

    def __init__(self, backtest: Backtest) -> None:
        super().__init__(f"The backtest {backtest.pk} is {backtest.get_state_display().lower()}.")
        self.state = backtest.state


class EmptyRange(Exception):
    """No event was recorded in the range."""

    def __init__(self) -> None:
        super().__init__("The log has no events in this range of time.")


class Progress(Struct, frozen=True, kw_only=True):
    """The number of parts that are done, and the total number of parts."""

    done: int
    parts: int


class Request(Struct, frozen=True, kw_only=True):
    """The question that a person asks. Its range is by recording time.

    If `since` is None, the range begins with the log. If `until` is None, it ends now. Nothing
    recorded after its end is known.
    """

    candidate: RiskPolicy
    baseline: RiskPolicy | None = None
    since: datetime | None = None
    until: datetime | None = None
    mode: Mode = Mode.RECORDED
    sample_ppm: int = WHOLE
    seed: int = 0
    mature: timedelta = MATURE


class Repeatable(Struct, frozen=True):
    """An id that makes a request repeatable, and the fields that an API client sent."""

    backtest_id: UUID
    sent: dict[str, Any] | None = None


def request(
    asked: Request,
    *,
    by: str,
    at: datetime,
    in_background: bool = True,
    repeatable: Repeatable | None = None,
) -> Backtest:
    """Store a question about the log as it is now, with its parts.

    The workers of the service run it, unless `in_background` is False: then `processes.run` does. If
    there is a backtest with the id of `repeatable`, return it. Its `sent` may differ.
    Raises NotPermitted, TooManyBacktests, EmptyRange, HorizonHeld.
    """
    permissions.require(by, RUN, operators=True)
    question = _question(asked)
    with transaction.atomic():
        leases.lock()
        if repeatable is not None:
            earlier = Backtest.objects.filter(pk=repeatable.backtest_id).first()
            if earlier is not None:
                return earlier
        unfinished = Backtest.objects.filter(state__in=UNFINISHED, verifies=None)
        if unfinished.count() >= MOST_UNFINISHED:
            raise TooManyBacktests
        backtest = _store(
            question, by=by, at=at, in_background=in_background, repeatable=repeatable
        )
    logger.info("Backtest %s was requested by %s.", backtest.pk, by)
    return backtest


def cancel(backtest_id: UUID, *, by: str, at: datetime) -> None:
    """End a backtest without a result. Raises NotPermitted, UnknownBacktest, BacktestEnded."""
    permissions.require(by, RUN, operators=True)
    if not endings.cancel(backtest_id, at=at):
        raise BacktestEnded(find(backtest_id))
    logger.info("Backtest %s was cancelled by %s.", backtest_id, by)


def resume(backtest_id: UUID, *, by: str, in_background: bool = True) -> Backtest:
    """Continue an interrupted backtest: its parts that are done stay done.

    Raises NotPermitted, UnknownBacktest, BacktestEnded.
    """
    permissions.require(by, RUN, operators=True)
    unfinished = Backtest.objects.filter(pk=backtest_id, state__in=UNFINISHED)
    if not unfinished.update(in_background=in_background):
        raise BacktestEnded(find(backtest_id))
    logger.info("Backtest %s was resumed by %s.", backtest_id, by)
    return find(backtest_id)


def repeat(backtest: Backtest, *, at: datetime) -> Backtest:
    """Store the question of a backtest again, for `verifying`. `find` ignores the repetition.

    It is active from the beginning, so that `verifying.sweep` spares it until its process claims a
    part.
    """
    question, by = questions.question_of(backtest), backtest.requested_by
    with transaction.atomic():
        stored = _store(question, by=by, at=at, in_background=False, verifies=backtest)
        leases.keep_active(stored.pk, at)
    return stored


def find(backtest_id: UUID) -> Backtest:
    """Return a backtest. Raises UnknownBacktest."""
    backtest = Backtest.objects.filter(pk=backtest_id, verifies=None).first()
    if backtest is None:
        raise UnknownBacktest(backtest_id)
    return backtest


def progress(backtest: Backtest) -> Progress:
    """Return how many of the parts are done."""
    if not backtest.is_unfinished:
        return Progress(done=1, parts=1)
    counts = backtest.parts.aggregate(
        parts=Count("pk"), done=Count("pk", filter=Q(state=PartState.DONE))
    )
    return Progress(**counts)


def _question(asked: Request) -> Question:
    safe = horizon.safe_position()
    upto = safe if asked.until is None else ranges.position_at(asked.until, upto=safe)
    since = 0 if asked.since is None else ranges.position_at(asked.since, upto=upto)
    known_at = ranges.recorded_at(upto)
    if known_at is None or since == upto:
        raise EmptyRange
    return Question(
        candidate=asked.candidate,
        baseline=asked.baseline,
        since=since,
        upto=upto,
        at=known_at,
        mode=asked.mode,
        sample_ppm=asked.sample_ppm,
        seed=asked.seed,
        mature=asked.mature,
    )


def _store(
    question: Question,
    *,
    by: str,
    at: datetime,
    in_background: bool,
    verifies: Backtest | None = None,
    repeatable: Repeatable | None = None,
) -> Backtest:
    asked: dict[str, Any] = {}
    if repeatable is not None:
        asked = {"id": repeatable.backtest_id, "sent": repeatable.sent}
    backtest = Backtest.objects.create(
        **questions.stored(question),
        engine=ENGINE_VERSION,
        in_background=in_background,
        requested_by=by,
        created_at=at,
        verifies=verifies,
        **asked,
    )
    BacktestPart.objects.bulk_create(questions.parts(backtest, question), batch_size=1_000)
    return backtest
