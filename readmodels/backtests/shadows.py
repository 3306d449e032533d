"""The use cases of shadows, for the command line and the back office: start, stop, find.

A shadow is a proposed policy that is evaluated on new payments. Each use case takes one short transaction,
logs the change, and refuses actors who may not make it. `by` is an actor id.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import QuerySet
from msgspec import Struct

from payments import permissions
from payments.application import policies
from payments.application.policies import UnknownPolicy
from payments.database import execute
from payments.domain.backtest import shadow
from payments.domain.backtest.question import ENGINE_VERSION
from payments.domain.backtest.tally import Tally
from payments.domain.risk.policy import PolicyStatus
from payments.events.reading import horizon
from readmodels.backtests.models import SLOTS, Shadow, ShadowDay, ShadowState
from readmodels.backtests.requests import RUN

logger: Final = logging.getLogger(__name__)

LONGEST: Final = timedelta(days=30)

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('backtests.shadows', 0))"


# The matrix of a tally is nested by active outcome, shadow outcome, label and currency. Its values
# are [payments, minor units].
_FIGURES: Final = """
SELECT day.shadow_id, count(DISTINCT day.day), coalesce(sum(cell.payments), 0)::bigint,
       coalesce(sum(cell.payments) FILTER (WHERE cell.active <> cell.shadow), 0)::bigint
  FROM backtests_shadowday AS day
  LEFT JOIN LATERAL (
    SELECT active.key AS active, shadow.key AS shadow, (currency.value ->> 0)::bigint AS payments
      FROM jsonb_each(day.tally -> 'matrix') AS active, jsonb_each(active.value) AS shadow,
           jsonb_each(shadow.value) AS label, jsonb_each(label.value) AS currency
  ) AS cell ON true
 WHERE day.shadow_id = ANY(%(shadows)s::uuid[])
 GROUP BY day.shadow_id
"""


class Figures(Struct, frozen=True):
    """Numbers of days, of evaluated payments, and of payments that would be decided differently."""

    days: int
    payments: int
    flips: int


class TooManyShadows(Exception):
    """The limit of running shadows is reached."""

    def __init__(self) -> None:
        super().__init__(f"{len(SLOTS)} shadows are running. Stop one first.")


class AlreadyObserved(Exception):
    """The policy has a shadow that is running."""

    def __init__(self, policy_id: str) -> None:
        super().__init__(f"The policy {policy_id[:12]} is observed already.")


class NotProposed(Exception):
    """The policy is active, withdrawn or replaced."""

    def __init__(self, policy_id: str, status: PolicyStatus) -> None:
        super().__init__(
            f"The policy {policy_id[:12]} is {status}. Only proposed policies can be observed."
        )
        self.status = status


class UnknownShadow(Exception):
    """There is no shadow with this id."""

    def __init__(self, shadow_id: UUID) -> None:
        super().__init__(f"There is no shadow {shadow_id}.")


class ShadowEnded(Exception):
    """The shadow has ended, so it cannot be stopped."""

    def __init__(self, ended: Shadow) -> None:
        super().__init__(f"The shadow {ended.pk} has ended: {ended.state}.")
        self.state = ended.state


def start(policy_id: str, *, by: str, at: datetime) -> Shadow:
    """Observe a proposed policy from now on, until its proposal ends or LONGEST is over.

    Raises NotPermitted, UnknownPolicy, NotProposed, AlreadyObserved, TooManyShadows, HorizonHeld.
    """
    permissions.require(by, RUN, operators=True)
    # Read the position before the register. If the proposal ends in between, the shadow finds its
    # end.
    since = horizon.safe_position()
    found = policies.register().policies.get(policy_id)
    if found is None:
        raise UnknownPolicy(policy_id)
    if found.status is not PolicyStatus.PROPOSED:
        raise NotProposed(policy_id, found.status)
    with transaction.atomic():
        execute(_LOCK)
        running = dict(_running().values_list("candidate_id", "slot"))
        if policy_id in running:
            raise AlreadyObserved(policy_id)
        free = sorted({*SLOTS} - {*running.values()})
        if not free:
            raise TooManyShadows
        started = Shadow.objects.create(
            candidate_id=policy_id,
            candidate=msgspec.to_builtins(found.policy.document),
            since=since,
            position=since,
            engine=ENGINE_VERSION,
            slot=free[0],
            started_by=by,
            started_at=at,
            until=at + LONGEST,
            next_at=at,
        )
    logger.info("Shadow %s of policy %s was started by %s.", started.pk, policy_id, by)
    return started


def stop(shadow_id: UUID, *, by: str, at: datetime) -> Shadow:
    """End a shadow. What it has counted stays. Raises NotPermitted, UnknownShadow, ShadowEnded."""
    permissions.require(by, RUN, operators=True)
    running = _running().filter(pk=shadow_id)
    stopped = running.update(
        state=ShadowState.STOPPED, slot=None, ended_at=at, stopped_by=by, error=""
    )
    found = find(shadow_id)
    if not stopped:
        raise ShadowEnded(found)
    logger.info("Shadow %s was stopped by %s.", shadow_id, by)
    return found


def find(shadow_id: UUID) -> Shadow:
    """Return a shadow. Raises UnknownShadow."""
    found = Shadow.objects.filter(pk=shadow_id).first()
    if found is None:
        raise UnknownShadow(shadow_id)
    return found


def of_policy(policy_id: str) -> Shadow | None:
    """Return the latest shadow of a policy."""
    return Shadow.objects.filter(candidate_id=policy_id).first()


def with_days(observed: Shadow) -> tuple[Shadow, Mapping[date, Tally]]:
    """Return the shadow and its days as of one moment, because a worker may be changing them."""
    stored = list(
        ShadowDay.objects.filter(shadow=observed).select_related("shadow").order_by("day")
    )
    days = {each.day: msgspec.convert(each.tally, Tally, str_keys=True) for each in stored}
    return stored[0].shadow if stored else observed, days


def figures(shadow_ids: Collection[UUID]) -> Mapping[UUID, Figures]:
    """Return the sums over all days of each shadow.

    The database adds them up, because tallies are large.
    """
    found = execute(_FIGURES, {"shadows": list(shadow_ids)})
    none = dict.fromkeys(shadow_ids, Figures(0, 0, 0))
    return none | {shadow_id: Figures(*sums) for shadow_id, *sums in found}


def digest_of(observed: Shadow, days: Mapping[date, Tally]) -> str:
    return shadow.digest(
        observed.candidate_id, since=observed.since, position=observed.position, days=days
    )


def _running() -> QuerySet[Shadow]:
    return Shadow.objects.filter(state=ShadowState.RUNNING)
