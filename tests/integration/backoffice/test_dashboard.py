"""The dashboard counts what waits, what is due and what the person did today, with links."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from django.test import Client as Browser

from payments import actors
from readmodels.models import PaymentSummary, ReviewDay
from readmodels.queries import deadlines
from tests.support.backoffice import browser, text
from tests.support.concurrency import session
from tests.support.reviewing import QUEUE, rows, waiting

pytestmark = pytest.mark.django_db(transaction=True)

HOME: Final = "/admin/"


def _context(logged_in: Browser) -> Any:
    answer = logged_in.get(HOME)
    assert answer.status_code == 200
    return answer.context


def _spend(payment: str, share: float) -> None:
    """Move the review's begin and deadline so that this share of its time has passed."""
    now, whole = datetime.now(UTC), timedelta(hours=100)
    begun = now - whole * share
    PaymentSummary.objects.filter(pk=payment).update(
        flagged_at=begun, review_deadline=begun + whole
    )


def _actor(logged_in: Browser) -> str:
    return actors.staff(int(logged_in.session["_auth_user_id"]))


def _hold(payment: str, holder: str) -> None:
    PaymentSummary.objects.filter(pk=payment).update(
        claimed_by=holder, claimed_until=datetime.now(UTC) + timedelta(minutes=5)
    )


@pytest.mark.parametrize(
    ("share", "level"), [(0.4, 0), (0.5, 50), (0.79, 50), (0.81, 80), (1.0, 100), (2.0, 100)]
)
def test_level_is_the_highest_that_was_reached(share: float, level: int) -> None:
    begun = datetime(2026, 1, 5, tzinfo=UTC)
    whole = timedelta(hours=100)

    assert deadlines.level(begun, begun + whole, begun + whole * share) == level


def test_levels_of_the_queue_link_to_the_payments_that_they_count() -> None:
    payments = waiting(4)
    for payment, share in zip(payments, (0.1, 0.6, 0.9, 1.1), strict=True):
        _spend(payment, share)
    reviewer = browser("analyst")

    levels = _context(reviewer)["levels"]

    assert [(level, count) for level, _, count in levels] == [(50, 3), (80, 2), (100, 1)]
    for level, _, count in levels:
        assert set(rows(reviewer, f"?due={level}")) == set(payments[4 - count :])
        assert f'href="{QUEUE}?due={level}"' in reviewer.get(HOME).content.decode()
    assert _context(reviewer)["due_soon"] == "2"
    assert set(rows(reviewer, "?due=24h")) == set(payments[2:])


def test_queue_and_payment_show_the_level_of_the_deadline() -> None:
    (payment,) = waiting()
    _spend(payment, 0.85)
    reviewer = browser("analyst")

    assert "80 % of time used" in text(reviewer.get(QUEUE))


def test_value_waits_per_currency() -> None:
    waiting(2)
    waiting(currency="EUR")

    context = _context(browser("viewer"))

    assert context["waiting_count"] == "3"
    assert context["waiting_values"] == ["$30,000.00", "€15,000.00"]


def test_value_that_waits_says_how_many_currencies_it_leaves_out() -> None:
    for currency in ("USD", "EUR", "GBP", "CHF", "CAD", "AUD"):
        waiting(currency=currency)

    *shown, others = _context(browser("viewer"))["waiting_values"]

    assert (len(shown), others) == (4, "2 other currencies")


def test_to_decide_next_leaves_out_what_others_hold_and_what_is_not_allowed() -> None:
    held, free, escalated, mine = waiting(4)
    reviewer = browser("analyst")
    _hold(held, "staff:900")
    _hold(mine, _actor(reviewer))
    PaymentSummary.objects.filter(pk=escalated).update(escalated=True)

    listed = {str(each["id"]) for each in _context(reviewer)["waiting"]}

    assert listed == {free, mine}


def test_my_day_counts_own_decisions_and_claims() -> None:
    (payment, other) = waiting(2)
    reviewer = browser("analyst")
    today = datetime.now(UTC).date()
    _hold(payment, _actor(reviewer))
    _hold(other, "staff:900")
    for actor, approved in ((_actor(reviewer), 2), ("staff:900", 5)):
        ReviewDay.objects.create(
            day=today, currency="USD", reviewer=actor, approved_count=approved, rejected_count=1
        )

    assert _context(reviewer)["my_day"] == {"decided": "3", "held": "1"}
    assert _context(browser("viewer", "vera"))["my_day"] is None


@pytest.mark.parametrize(
    ("role", "shown"), [("analyst", False), ("auditor", False), ("risk manager", True)]
)
def test_projections_are_shown_to_those_who_repair_them(role: str, *, shown: bool) -> None:
    assert ("daily_statistics" in text(browser(role).get(HOME))) == shown


def test_dashboard_leaves_out_sums_that_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readmodels.queries.bounded._SECONDS", 0.2)
    waiting()
    reviewer = browser("analyst")

    with session() as holder, holder.transaction():
        holder.execute("LOCK TABLE readmodels_dailystatistics IN ACCESS EXCLUSIVE MODE")
        answer = reviewer.get(HOME)

    assert answer.status_code == 200
    assert "These sums took too long." in text(answer)
    assert "$15,000.00" in text(answer)
    assert "Submitted today" in text(reviewer.get(HOME))


def test_empty_dashboard_is_calm() -> None:
    shown = text(browser("analyst").get(HOME))

    assert "Nothing is waiting." in shown
    assert "There is nothing left that you can decide." in shown
