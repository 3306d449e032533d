"""Claim-next offers assigned payments first, then payments that returned, then all others."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments.application.dispatch import Outcome
from payments.domain.payment import commands
from payments.domain.payment.codes import RejectionReason
from payments.domain.payment.refusals import PaymentError
from payments.domain.payment.state import REVIEW_PERIOD
from payments.events.models import Event
from payments.events.store import StaleVersion
from readmodels.queries import review_queue
from tests.support.api import project
from tests.support.concurrency import at_once
from tests.support.reviewing import waiting
from tests.support.routing import act, assign, claim_next, snooze, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

HALF: Final = REVIEW_PERIOD / 2
# Copies of a waiting payment, each with another deadline. Half of the copies still wait.
_MANY: Final = """
INSERT INTO readmodels_paymentsummary
SELECT copy.* FROM generate_series(1, 30000) AS n,
       (SELECT * FROM readmodels_paymentsummary WHERE assigned_to = '' LIMIT 1) AS one,
       LATERAL jsonb_populate_record(NULL::readmodels_paymentsummary, to_jsonb(one) ||
         jsonb_build_object('payment_id', gen_random_uuid(), 'reference', NULL,
                            'status', CASE WHEN n % 2 = 0 THEN 'pending_review' ELSE 'completed' END,
                            'review_deadline', review_deadline + n * interval '1 second')) AS copy
"""


def test_claim_next_prefers_assigned_then_returned_then_the_others() -> None:
    first, second, returned, assigned = waiting(4)
    ann, grace = staff("ann"), staff("grace", "senior reviewer")
    assign(assigned, grace, to=ann)
    snooze(returned, ann, hours=1)
    project()
    later = timezone.now() + timedelta(hours=2)

    claimed = [claim_next(ann, at=later) for _ in range(4)]

    assert claimed == [assigned, returned, first, second]


@pytest.mark.parametrize("times_projected", [0, 1])
def test_claim_next_skips_snoozed_payments_until_they_return(times_projected: int) -> None:
    """If the queue still offers a snoozed payment, because projections lag, the log refuses it."""
    (payment,) = waiting()
    ann, ben = staff("ann"), staff("ben")
    snooze(payment, ann, hours=1)
    for _ in range(times_projected):
        project()

    assert claim_next(ann) is None
    assert claim_next(ben) is None
    assert claim_next(ben, at=timezone.now() + timedelta(hours=1)) == payment


@pytest.mark.parametrize("role", ["analyst", "senior reviewer"])
@pytest.mark.parametrize("times_projected", [0, 1])
def test_claim_next_leaves_assigned_payments_to_the_assignee(
    times_projected: int, role: str
) -> None:
    (payment,) = waiting()
    ann, ben, grace = staff("ann"), staff("ben", role), staff("grace", "senior reviewer")
    assign(payment, grace, to=ann)
    for _ in range(times_projected):
        project()

    assert claim_next(ben) is None
    assert claim_next(ann) == payment


def test_queue_offers_neither_snoozed_nor_reserved_payments() -> None:
    """The log would refuse them only after a wait. Many such rows would count as lag."""
    free, snoozed, reserved = waiting(3)
    ann, ben, grace = staff("ann"), staff("ben"), staff("grace", "senior reviewer")
    snooze(snoozed, ann, hours=1)
    assign(reserved, grace, to=ann)
    project()

    with transaction.atomic():
        offers = [
            str(each)
            for each in review_queue.claimable(
                reviewer=ben, senior=True, client_id=None, at=timezone.now()
            )
        ]

    assert offers == [free]


def test_claim_next_offers_assigned_payments_to_all_after_half_of_the_time() -> None:
    """An absent assignee would otherwise let the payment expire."""
    (payment,) = waiting()
    ann, ben, grace = staff("ann"), staff("ben"), staff("grace", "senior reviewer")
    assign(payment, grace, to=ann)
    project()
    flagged_at = Event.objects.get(event_type="payment.flagged_for_review").occurred_at

    assert claim_next(ben, at=flagged_at + HALF - timedelta(seconds=1)) is None
    assert claim_next(ben, at=flagged_at + HALF) == payment


def test_payment_that_was_resumed_returns_first_to_the_one_who_snoozed_it() -> None:
    first, second = waiting(2)
    ann, ben = staff("ann"), staff("ben")
    snooze(second, ann)
    act(commands.ResumeReview, second, ben)
    project()

    assert claim_next(ann) == second
    assert claim_next(ben) == first


def test_returned_payment_is_for_all_if_the_one_who_snoozed_it_is_away() -> None:
    (payment,) = waiting()
    snooze(payment, staff("ann"), hours=1)
    project()

    assert claim_next(staff("ben"), at=timezone.now() + timedelta(hours=1)) == payment


def test_concurrent_claim_next_of_a_returned_payment_gives_it_to_one() -> None:
    (payment,) = waiting()
    people = [staff(f"person-{number}") for number in range(6)]
    snooze(payment, people[0], hours=1)
    project()
    later = timezone.now() + timedelta(hours=1)

    claimed = at_once(6, lambda number: claim_next(people[number], at=later))

    assert sorted(filter(None, claimed)) == [payment]


def race(*work: Callable[[], Outcome]) -> list[Outcome | None]:
    """Run the commands at the same time. Return their outcomes, with None for a refusal."""

    def attempt(number: int) -> Outcome | None:
        try:
            return work[number]()
        except (PaymentError, StaleVersion):
            return None

    return at_once(len(work), attempt)


def test_concurrent_snooze_and_decision_end_in_the_order_of_the_log() -> None:
    """A decision ends a snooze. A snooze after a decision is refused."""
    ann, ben = staff("ann"), staff("ben")
    for payment in waiting(6):
        snoozed, decided = race(
            partial(snooze, payment, ann),
            partial(act, commands.RejectPayment, payment, ben, reason=RejectionReason.OTHER),
        )

        events = Event.objects.filter(aggregate_id=payment).order_by("version")
        types = list(events.values_list("event_type", flat=True))[2:]
        expected = ["payment.review_snoozed", "payment.rejected"]
        assert types == (expected if snoozed else expected[1:])
        assert decided is not None
        assert decided.payment.snooze is None


def test_concurrent_assignment_and_claim_leave_the_assignee_in_charge() -> None:
    ann, ben, grace = staff("ann"), staff("ben"), staff("grace", "senior reviewer")
    for payment in waiting(6):
        race(
            partial(assign, payment, grace, to=ann),
            partial(act, commands.ClaimReview, payment, ben),
        )

        project()
        row = review_queue.pending().get(pk=payment)
        assert (row.assigned_to, row.claimed_by) == (ann, "")


def test_claim_next_reads_few_rows_of_many() -> None:
    """Each tier uses a partial index in the order of the deadlines."""
    free, mine, back = waiting(3)
    ann, grace = staff("ann"), staff("grace", "senior reviewer")
    assign(mine, grace, to=ann)
    snooze(back, ann, hours=1)
    project()
    with connection.cursor() as cursor:
        cursor.execute(_MANY)
        cursor.execute("ANALYZE readmodels_paymentsummary")
    at = timezone.now() + timedelta(hours=2)

    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        offers = review_queue.claimable(reviewer=ann, senior=False, client_id=None, at=at)
        found = [str(next(offers)) for _ in range(4)]

    assert found[:2] == [mine, back]
    assert free in found
    statements = [each["sql"] for each in captured if "SKIP LOCKED" in each["sql"]]
    assert len(statements) == 6  # four return a row, and two end a tier
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
            (plan,) = cursor.fetchone()
            assert _read(_decoded(plan)[0]["Plan"]) < 20, (statement, plan)


def _decoded(plan: Any) -> Any:
    return json.loads(plan) if isinstance(plan, str) else plan


def _read(plan: dict[str, Any]) -> int:
    """Return how many rows the nodes of a plan read, including those that filters removed."""
    here = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    return int(here) + sum(_read(each) for each in plan.get("Plans", ()))
