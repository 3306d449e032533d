"""Evaluate the running shadows on new payments, step by step.

A step reads events without a transaction, and then stores their days together with the shadow's
position. It stores them only if the position is still the one from which it read. So a payment
counts once, even if a worker is killed or late, or two workers take the same step.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.text import Truncator
from msgspec import Struct

from payments.aggregates import PAYMENT_AGGREGATE, POLICY_AGGREGATE
from payments.domain.backtest import shadow
from payments.domain.backtest.question import ENGINE_VERSION
from payments.domain.backtest.shadow import Days
from payments.domain.backtest.tally import Tally
from payments.domain.risk.policy import PolicyDocument, RiskPolicy
from payments.domain.risk.register import REGISTER, PolicyApproved, PolicyRetired
from payments.events.reading import horizon, ranges
from readmodels.backtests.models import Shadow, ShadowDay, ShadowState

logger: Final = logging.getLogger(__name__)

PERIOD: Final = timedelta(seconds=60)
# The number of events read at once, which determines a worker's memory.
_AT_ONCE: Final = 4_000
_LONGEST_ERROR: Final = 500
_TYPES: Final = tuple(each.event_type for each in shadow.SCORING)


class End(Struct, frozen=True):
    """The position at which a shadow ends, and why."""

    position: int
    state: ShadowState


def observe_due(*, until: datetime) -> None:
    """Take the due steps of all shadows, one shadow at a time. Raises errors of the database."""
    now = timezone.now()
    due = Shadow.objects.filter(state=ShadowState.RUNNING, next_at__lte=now)
    for each in due.order_by("next_at"):
        # Other workers then skip the shadow for a period. If this worker is killed, only that time
        # is lost.
        if Shadow.objects.filter(pk=each.pk, next_at=each.next_at).update(next_at=now + PERIOD):
            _observe(each, until)


def _observe(observed: Shadow, until: datetime) -> None:
    """Take steps until nothing is left to read or the time is over. An error stalls the shadow."""
    try:
        while step(observed, at=timezone.now()):
            if timezone.now() >= until:
                Shadow.objects.filter(pk=observed.pk).update(next_at=timezone.now())
                return
            observed.refresh_from_db()
    except (DatabaseError, InterfaceError):
        raise
    except Exception as error:
        text = Truncator(str(error) or type(error).__name__).chars(_LONGEST_ERROR)
        running = Shadow.objects.filter(pk=observed.pk, state=ShadowState.RUNNING)
        if running.exclude(error=text).update(error=text):
            logger.exception("Shadow %s is stalled.", observed.pk)


def step(observed: Shadow, *, at: datetime) -> bool:
    """Count the next payments. Return whether there may be more to read.

    Raises UnreadableEvent, HorizonHeld.
    """
    if not observed.is_running or observed.engine > ENGINE_VERSION:
        return False
    if observed.engine < ENGINE_VERSION:
        _begin_again(observed)
        return True
    safe = horizon.safe_position()
    end = _end(observed, safe, at)
    upto = max(observed.position, safe if end is None else end.position)
    days, reached = read(candidate_of(observed), after=observed.position, upto=upto)
    complete = reached == upto
    _store(observed, days, reached, at, end if complete else None, complete=complete)
    return not complete


def read(candidate: RiskPolicy, *, after: int, upto: int) -> tuple[Days, int]:
    """Count the next payments up to a safe position. Return their days and the position that is reached.

    Raises UnreadableEvent.
    """
    found = horizon.read_next(
        PAYMENT_AGGREGATE, after=after, upto=upto, limit=_AT_ONCE, event_types=_TYPES
    )
    events = ((each.aggregate_id, each.position, each.event) for each in found.records)
    return shadow.observe(candidate, events), upto if found.events < _AT_ONCE else found.last


def recomputed(observed: Shadow) -> Mapping[Any, Tally]:
    """Return the days, counted again from `since`. Raises UnreadableEvent."""
    days: Days = {}
    candidate, position = candidate_of(observed), observed.since
    while position < observed.position:
        more, position = read(candidate, after=position, upto=observed.position)
        shadow.add(days, more)
    return days


def candidate_of(observed: Shadow) -> RiskPolicy:
    return RiskPolicy.of(msgspec.convert(observed.candidate, PolicyDocument))


def _end(observed: Shadow, safe: int, at: datetime) -> End | None:
    """Return where the shadow ends, if it does so at or before a safe position."""
    ends = []
    for each in horizon.read_stream(POLICY_AGGREGATE, REGISTER, after=observed.since, upto=safe):
        if each.event.policy_id == observed.candidate_id:
            if isinstance(each.event, PolicyApproved):
                ends.append(End(each.position, ShadowState.APPROVED))
            elif isinstance(each.event, PolicyRetired):
                ends.append(End(each.position, ShadowState.WITHDRAWN))
    if at >= observed.until:
        over = ranges.position_at(observed.until, upto=safe)
        ends.append(End(max(over, observed.position), ShadowState.EXPIRED))
    return min(ends, key=lambda each: each.position, default=None)


def _store(
    observed: Shadow, days: Days, reached: int, at: datetime, end: End | None, *, complete: bool
) -> None:
    """Store what a step counted, unless another worker stored it or the shadow was stopped."""
    changes: dict[str, Any] = {"position": reached, "error": ""}
    if complete:
        changes["observed_at"] = at
    if end is not None:
        changes |= {"state": end.state, "slot": None, "ended_at": at}
    with transaction.atomic():
        unchanged = Shadow.objects.filter(
            pk=observed.pk,
            state=ShadowState.RUNNING,
            position=observed.position,
            engine=observed.engine,
        )
        if not unchanged.update(**changes):
            return
        _add(observed, days)
    if end is not None:
        logger.info("Shadow %s ended: its policy is %s.", observed.pk, end.state)


def _add(observed: Shadow, days: Days) -> None:
    """Add to the stored days, while the shadow's row is locked."""
    stored = {each.day: each for each in observed.days.filter(day__in=days)}
    for day, tally in days.items():
        row = stored.get(day) or ShadowDay(shadow=observed, day=day)
        if row.pk is not None:
            tally.merge(msgspec.convert(row.tally, Tally, str_keys=True))
        row.tally = msgspec.to_builtins(tally, str_keys=True)
        row.save()


def _begin_again(observed: Shadow) -> None:
    """Begin to count the days again, with the code of this version."""
    with transaction.atomic():
        older = Shadow.objects.filter(
            pk=observed.pk, state=ShadowState.RUNNING, engine=observed.engine
        )
        if older.update(position=F("since"), engine=ENGINE_VERSION):
            ShadowDay.objects.filter(shadow=observed).delete()
    logger.info("Shadow %s begins again with engine %s.", observed.pk, ENGINE_VERSION)
