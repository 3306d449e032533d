"""Shadows start and end as they should, at most three at a time."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments import permissions
from payments.application.policies import UnknownPolicy
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.events.models import Event
from readmodels.backtests import shadows
from readmodels.backtests.models import Shadow, ShadowState
from tests.support import policies
from tests.support.backtests import STRICT, submit_many
from tests.support.concurrency import at_once
from tests.support.examples import OPERATOR
from tests.support.shadows import POLICIES, counted, is_repeatable, observed, started

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def start(policy_id: str, by: str = OPERATOR) -> Shadow:
    return shadows.start(policy_id, by=by, at=timezone.now())


def test_start_needs_the_right_to_test_policies() -> None:
    analyst, reviewer = policies.staff("anna", "analyst"), policies.staff("rita", "senior reviewer")
    policies.propose(STRICT, policies.staff("ada"))

    running = start(STRICT.policy_id, by=analyst)

    assert running.started_by == analyst
    with pytest.raises(permissions.NotPermitted):
        shadows.stop(running.pk, by=reviewer, at=timezone.now())


def test_start_refuses_policies_that_are_not_proposed() -> None:
    ada, grace = policies.staff("ada"), policies.staff("grace")
    with pytest.raises(UnknownPolicy):
        start(DEFAULT_POLICY.policy_id)
    policies.activate(STRICT, ada, grace)
    policies.propose(POLICIES[0], ada)
    policies.retire(POLICIES[0], ada)

    with pytest.raises(shadows.NotProposed, match="is active"):
        start(STRICT.policy_id)
    with pytest.raises(shadows.NotProposed, match="is withdrawn"):
        start(POLICIES[0].policy_id)


def test_start_refuses_a_policy_that_is_observed() -> None:
    running = started()

    with pytest.raises(shadows.AlreadyObserved):
        start(STRICT.policy_id)

    shadows.stop(running.pk, by=OPERATOR, at=timezone.now())
    assert start(STRICT.policy_id).pk != running.pk


def test_at_most_three_run_if_five_start_at_once() -> None:
    ada = policies.staff("ada")
    for policy in POLICIES:
        policies.propose(policy, ada)

    def attempt(number: int) -> bool:
        try:
            start(POLICIES[number].policy_id)
        except shadows.TooManyShadows:
            return False
        return True

    assert sorted(at_once(5, attempt)) == [False, False, True, True, True]
    assert set(Shadow.objects.values_list("slot", flat=True)) == {1, 2, 3}


def test_stop_keeps_what_was_counted() -> None:
    running = started()
    submit_many(5)
    observed(running)

    stopped = shadows.stop(running.pk, by=OPERATOR, at=timezone.now())
    submit_many(5, first=5)
    observed(stopped)

    assert (stopped.state, stopped.slot) == (ShadowState.STOPPED, None)
    assert counted(stopped) == {"2026-01-05": 5}
    with pytest.raises(shadows.ShadowEnded, match="has ended: stopped"):
        shadows.stop(stopped.pk, by=OPERATOR, at=timezone.now())


@pytest.mark.parametrize("approved", [True, False])
def test_shadow_ends_with_the_proposal(*, approved: bool) -> None:
    ada, grace = policies.staff("ada"), policies.staff("grace")
    running = started(by=ada)
    submit_many(5)
    if approved:
        policies.approve(STRICT, grace)
    else:
        policies.retire(STRICT, grace)
    submit_many(7, first=5)

    ended = observed(running)

    last = Event.objects.filter(aggregate_type="policy").order_by("-position")[0]
    assert ended.state == (ShadowState.APPROVED if approved else ShadowState.WITHDRAWN)
    assert (ended.position, ended.slot) == (last.position, None)
    assert counted(ended) == {"2026-01-05": 5}
    assert is_repeatable(ended)


def test_shadow_continues_while_other_policies_change() -> None:
    ada, grace = policies.staff("ada"), policies.staff("grace")
    running = started(by=ada)
    policies.activate(POLICIES[0], ada, grace)
    policies.propose(POLICIES[1], ada)
    policies.retire(POLICIES[1], ada)
    submit_many(5)

    assert observed(running).is_running
    assert counted(running) == {"2026-01-05": 5}


def test_shadow_ends_after_thirty_days_at_the_last_payment_of_these() -> None:
    running = started()
    submit_many(5)
    Shadow.objects.update(until=timezone.now())
    submit_many(7, first=5)

    ended = observed(running)

    assert ended.state == ShadowState.EXPIRED
    assert counted(ended) == {"2026-01-05": 5}
    assert timedelta(days=30) == shadows.LONGEST
