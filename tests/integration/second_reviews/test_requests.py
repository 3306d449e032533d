"""Which decisions are chosen for a second review, and that no crash loses a request."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from payments.application import second_reviews
from payments.application.ports import FinalDecision
from payments.domain.payment.codes import ApprovalReason
from payments.domain.payment.commands import ApprovePayment
from payments.events.models import Event
from payments.events.seals import keys, sealing, verifying
from readmodels.models import ReviewDay, SecondReview
from readmodels.projections import second_review
from readmodels.queries import analytics
from readmodels.rebuild import checking
from readmodels.rebuild.rebuilding import rebuild
from tests.support.api import FOUR_EYES, project
from tests.support.concurrency import at_once
from tests.support.examples import NOON
from tests.support.rebuilding import ALL, contents
from tests.support.reviewing import waiting
from tests.support.routing import act, staff
from tests.support.second_reviews import (
    approve,
    approved,
    conclude,
    events,
    reject,
    request_all,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def _decisions(payments: int = 2_000, at: datetime = NOON) -> list[FinalDecision]:
    return [
        FinalDecision(payment_id=UUID(int=number), reviewer="staff:7", at=at)
        for number in range(payments)
    ]


def _chosen(at: datetime = NOON, recent: int = 50) -> set[UUID]:
    """Return which of many payments are chosen if their reviewer has made `recent` decisions."""
    found = _decisions(at=at)
    return {each.payment_id for each in found if second_reviews.is_chosen(each, lambda _: recent)}


def test_chosen_decision_has_one_request_without_client(all_chosen: None) -> None:
    payment, review = approved(staff("ben"))
    request_all()

    (requested,) = events()

    decision = Event.objects.get(event_type="payment.approved")
    assert requested.aggregate_id == review
    assert requested.metadata == {
        "actor": "system:second_reviews",
        "command": "request_second_review",
    }
    assert requested.data["payment_id"] == payment
    assert requested.data["evidence_version"] == decision.version - 1
    assert "client_id" not in requested.data
    assert SecondReview.objects.get().pk == review


def test_request_waits_for_its_delay_so_that_no_gap_follows_the_decision(all_chosen: None) -> None:
    (payment,) = waiting()
    act(ApprovePayment, payment, staff("ben"), reason=ApprovalReason.KNOWN_CUSTOMER)
    project()
    at = Event.objects.get(event_type="payment.approved").occurred_at
    due = at + second_reviews.delay(
        FinalDecision(payment_id=UUID(payment), reviewer="staff:7", at=at)
    )

    assert list(second_reviews.request_due(due - timedelta(microseconds=1))) == []
    assert list(second_reviews.request_due(due)) == [UUID(payment)]


def test_delays_are_spread_over_a_day() -> None:
    hours = [second_reviews.delay(each) / timedelta(hours=1) for each in _decisions()]

    assert 0 <= min(hours) < 1
    assert 23 < max(hours) <= 24
    assert 11 < sum(hours) / len(hours) < 13


def test_requests_at_once_append_one_event(all_chosen: None) -> None:
    (payment,) = waiting()
    act(ApprovePayment, payment, staff("ben"), reason=ApprovalReason.KNOWN_CUSTOMER)
    project()
    later = timezone.now() + timedelta(days=1)

    at_once(3, lambda _: list(second_reviews.request_due(later)))

    assert len(events()) == 1


def test_first_approval_is_not_requested_but_the_second_is(all_chosen: None) -> None:
    ben, ada = staff("ben"), staff("sue", "senior reviewer")
    (payment,) = waiting(**FOUR_EYES)

    approve(payment, ben)
    assert events() == []
    approve(payment, ada)

    (requested,) = events()
    assert [each["by"] for each in requested.data["decisions"]] == [ben, ada]


def test_decision_that_is_not_chosen_has_no_request() -> None:
    approved(staff("ben"))

    assert events() == []


def test_share_of_the_chosen_is_that_of_the_setting(settings: Any) -> None:
    settings.SECOND_REVIEW_PERCENT = 10

    chosen = _chosen()

    assert 150 < len(chosen) < 250
    assert _chosen() == chosen


def test_choice_differs_by_month_and_key(settings: Any) -> None:
    settings.SECOND_REVIEW_PERCENT = 10
    chosen = _chosen()

    other_month = _chosen(at=datetime(2026, 2, 5, tzinfo=UTC))
    settings.PSEUDONYM_KEY = "another"

    assert len(chosen & other_month) < 60
    assert len(chosen & _chosen()) < 60


def test_reviewer_with_few_recent_decisions_has_the_larger_share(settings: Any) -> None:
    settings.SECOND_REVIEW_PERCENT, settings.SECOND_REVIEW_NEW_PERCENT = 2, 20

    new, experienced = _chosen(recent=49), _chosen(recent=50)

    assert 330 < len(new) < 470
    assert 15 < len(experienced) < 70
    assert experienced < new


def test_recent_decisions_are_those_of_ninety_days() -> None:
    counts = {"first_approved_count": 1, "approved_count": 2, "rejected_count": 4}
    for day in ("2025-10-06", "2026-01-05", "2025-10-08", "2026-01-06"):
        ReviewDay.objects.create(day=day, currency="USD", reviewer="staff:7", **counts)
    ReviewDay.objects.create(day="2026-01-05", currency="USD", reviewer="staff:8", **counts)

    assert analytics.recent_decisions(reviewer="staff:7", at=NOON) == 14


def test_rebuild_and_check_give_the_same_rows(all_chosen: None) -> None:
    ben, ada = staff("ben"), staff("sue", "senior reviewer")
    reviews = [approved(ben)[1] for _ in range(3)]
    (payment,) = waiting()
    reject(payment, ben)
    conclude(reviews[0], ada, note="Another device.")
    project()
    before = contents()
    SecondReview.objects.all().delete()

    rebuilt = rebuild(ALL)

    assert contents() == before
    assert SecondReview.objects.count() == 4
    assert rebuilt.events == Event.objects.count()
    assert all(each.same for each in rebuild(ALL).comparisons)
    checked = checking.check_sample(second_review.PROJECTION, 50)
    assert checked.rows
    assert checked.drifted == ()


def test_seals_cover_second_reviews(all_chosen: None) -> None:
    approved(staff("ben"))

    (statement,) = sealing.seal_all()

    assert statement.events == Event.objects.count()
    assert verifying.verify(keys.trusted()).findings.total == 0
