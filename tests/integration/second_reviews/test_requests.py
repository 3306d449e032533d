"""Which decisions are chosen for a second review, and that no crash loses a request."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from payments.application import second_reviews
from payments.domain.payment.commands import ApprovePayment
from payments.domain.payment.events import ApprovalReason
from payments.events.models import Event
from payments.events.seals import keys, sealing, verifying
from readmodels.models import ReviewDay, SecondReview
from readmodels.projections import second_review
from readmodels.rebuild import checking
from readmodels.rebuild.rebuilding import rebuild
from tests.support.api import FOUR_EYES, project
from tests.support.examples import NOON
from tests.support.rebuilding import ALL, contents
from tests.support.reviewing import waiting
from tests.support.routing import staff
from tests.support.second_reviews import approve, approved, conclude, events, reject

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def _chosen(reviewer: str = "staff:7", payments: int = 2_000, at: datetime = NOON) -> set[UUID]:
    """Return those of many payments that are chosen."""
    ids = [UUID(int=number) for number in range(payments)]
    commands = (
        ApprovePayment(
            payment_id=each,
            client_id=None,
            at=at,
            reviewer=reviewer,
            reason=ApprovalReason.KNOWN_CUSTOMER,
        )
        for each in ids
    )
    return {each.payment_id for each in commands if second_reviews.requesting(each)}


def test_chosen_decision_has_a_request_in_its_transaction(all_chosen: None) -> None:
    payment, review = approved(staff("ben"))

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


def test_failed_request_undoes_the_decision(
    all_chosen: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ben = staff("ben")
    (payment,) = waiting()
    monkeypatch.setattr(second_reviews, "decided", lambda _: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        approve(payment, ben)

    assert not Event.objects.filter(event_type="payment.approved").exists()


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
    day = {"currency": "USD", "reviewer": "staff:7", "rejected_count": 0}
    ReviewDay.objects.create(day=NOON.date(), approved_count=49, **day)
    ReviewDay.objects.create(day="2025-09-01", approved_count=500, **day)

    new = _chosen(payments=500)
    ReviewDay.objects.update(rejected_count=1)
    experienced = _chosen(payments=500)

    assert 70 < len(new) < 135
    assert 2 < len(experienced) < 25
    assert experienced < new


def test_decision_without_a_choice_takes_no_further_query(
    settings: Any, django_assert_num_queries: Any
) -> None:
    settings.SECOND_REVIEW_PERCENT = 2

    with django_assert_num_queries(0):
        _chosen()


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
