"""The analytics show how often second reviews agree, and limit who sees whose agreement."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import pytest

from readmodels.models import ReviewDay, SecondReview
from readmodels.queries import agreement
from readmodels.queries.analytics import Period
from tests.support.backoffice import browser
from tests.support.second_reviews import actor_of

pytestmark = pytest.mark.django_db

NOW: Final = datetime.now(UTC)
TODAY: Final = NOW.date()
PAGE: Final = "/admin/analytics/?days=7"
WEEK: Final = Period(TODAY - timedelta(days=6), TODAY)


def _reviews(count: int, reviewer: str, *, second: bool | None = True, **changes: Any) -> None:
    given: dict[str, Any] = {
        "payment_id": uuid4(),
        "amount": 1,
        "currency": "USD",
        "reviewer": reviewer,
        "approved": True,
        "reason": "known_customer",
        "decided_at": NOW,
        "requested_at": NOW,
        "concluded_at": None if second is None else NOW,
        "second_approved": second,
        "position": 1,
    }
    SecondReview.objects.bulk_create(
        SecondReview(pk=uuid4(), **given | changes) for _ in range(count)
    )


def test_agreement_counts_concluded_reviews_of_the_period_and_currency() -> None:
    _reviews(18, "staff:1")
    _reviews(4, "staff:1", second=False)
    _reviews(5, "staff:1", second=None)
    _reviews(9, "staff:1", decided_at=NOW - timedelta(days=8))
    _reviews(7, "staff:1", currency="EUR")

    found = agreement.by_reviewer(Period(WEEK.first, WEEK.last, "USD"))

    assert (found["staff:1"].count, found["staff:1"].same) == (22, 18)
    assert agreement.by_reviewer(WEEK)["staff:1"].count == 29


def test_first_approval_counts_as_the_decision_of_its_reviewer() -> None:
    _reviews(20, "staff:1", approved=False, reason="other", second=False, first_reviewer="staff:2")

    found = agreement.by_reviewer(WEEK)

    assert (found["staff:1"].same, found["staff:2"].same) == (20, 0)


def test_nothing_is_shown_of_fewer_than_twenty() -> None:
    senior = browser()
    _reviews(19, "staff:1")

    fewer = senior.get(PAGE).context
    _reviews(1, "staff:1")
    enough = senior.get(PAGE).context

    assert (fewer["agreement_reviewers"], fewer["agreement_reasons"]) == ([], [])
    assert (len(enough["agreement_reviewers"]), len(enough["agreement_reasons"])) == (1, 1)


def test_page_shows_share_interval_and_kappa() -> None:
    _reviews(20, "staff:1")
    _reviews(5, "staff:1", second=False)
    _reviews(10, "staff:1", approved=False, reason="suspected_fraud")
    _reviews(15, "staff:1", approved=False, reason="suspected_fraud", second=False)

    context = browser().get(PAGE).context

    assert context["agreement_reviewers"] == [
        ("staff:1", ["50", "70.0 %", "56.2 to 80.9 %", "0.40"])
    ]
    assert context["agreement_reasons"] == [
        ("Approved: known customer", ["25", "80.0 %", "60.9 to 91.1 %"]),
        ("Rejected: suspected fraud", ["25", "60.0 %", "40.7 to 76.6 %"]),
    ]


def test_person_without_the_permission_sees_the_own_agreement_only() -> None:
    analyst = browser("analyst")
    _reviews(20, actor_of(analyst))
    _reviews(20, "staff:0")

    context = analyst.get(PAGE).context

    assert [name for name, _ in context["agreement_reviewers"]] == ["grace"]
    assert "agreement_reasons" not in context
    assert "chosen_days" not in context


def test_share_and_open_reviews_leave_out_own_decisions() -> None:
    senior = browser()
    own = actor_of(senior)
    for reviewer, made in (("staff:0", 40), (own, 10)):
        ReviewDay.objects.create(day=TODAY, currency="USD", reviewer=reviewer, approved_count=made)
    _reviews(1, "staff:0", second=None)
    _reviews(1, "staff:0", second=None, requested_at=NOW - timedelta(days=4))
    _reviews(1, own, second=None)
    _reviews(1, "staff:0", second=None, first_reviewer=own)

    context = senior.get(PAGE).context

    assert context["chosen_total"] == ["40", "2", "5.0 %"]
    assert context["chosen_days"] == [(f"{TODAY}", ["40", "2", "5.0 %"])]
    assert context["second_reviews_open"] == [
        ("less than 24 h", ["1"]),
        ("3 days to 7 days", ["1"]),
    ]
