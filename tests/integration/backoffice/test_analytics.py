"""The analytics page: the figures for a period, and who sees whose decisions."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from payments import actors
from readmodels.models import DailyStatistics, ReviewDay
from tests.support.api import PAYMENTS, ApiClient, project
from tests.support.backoffice import browser, text
from tests.support.reviewing import waiting

pytestmark = pytest.mark.django_db

PAGE: Final = "/admin/analytics/"
TODAY: Final = datetime.now(UTC).date()


def _day(day: date, currency: str = "USD", **counts: int) -> None:
    key = f"{day}:{currency}"
    client = ApiClient().client_id
    DailyStatistics.objects.create(
        key=key, day=day, client_id=client, currency=currency, **{"total_count": 0, **counts}
    )


def _reviews(reviewer: str, day: date = TODAY, currency: str = "USD", **counts: int) -> None:
    ReviewDay.objects.create(day=day, currency=currency, reviewer=reviewer, **counts)


def _context(logged_in: Browser, query: str = "") -> Any:
    answer = logged_in.get(PAGE + query)
    assert answer.status_code == 200
    return answer.context


def test_figures_are_those_of_the_period_and_the_currency() -> None:
    viewer = browser("viewer")
    _day(TODAY, total_count=10, failed_count=1, review_count=2)
    _day(TODAY - timedelta(days=6), total_count=30, completed_count=3)
    _day(TODAY - timedelta(days=7), total_count=500)
    _day(TODAY, "EUR", total_count=4)

    both = _context(viewer, "?days=7")["currencies"]
    euros = _context(viewer, "?days=7&currency=eur")["currencies"]

    assert [(code, cells[0]) for code, cells in both] == [("USD", "40"), ("EUR", "4")]
    assert both[0][1][4:6] == ["2.5 %", "5.0 %"]
    assert [code for code, _ in euros] == ["EUR"]


def test_chart_has_each_day_and_its_numbers_as_a_table() -> None:
    viewer = browser("viewer")
    _day(TODAY - timedelta(days=2), total_count=1_234)

    chart = _context(viewer, "?days=7")["outcomes"]

    assert len(chart.places) == 7
    assert chart.rows[4][1][0] == "1,234"
    assert f"{TODAY - timedelta(days=2)}: 1,234" in text(viewer.get(f"{PAGE}?days=7"))


def test_custom_period_reads_common_forms_of_dates() -> None:
    viewer = browser("viewer")

    period = _context(viewer, "?from=1.11.2026&to=Nov+3+2026")["period"]

    assert (period.first, period.last) == (date(2026, 11, 1), date(2026, 11, 3))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?from=tomorrow", "“tomorrow” is not a date"),
        ("?from=2026-11-02&to=2026-11-01", "The range ends before it begins"),
        ("?from=2024-01-01&to=2026-01-01", "more than 366 days"),
        ("?currency=EURO", "“EURO” is not a currency code"),
    ],
)
def test_wrong_value_is_named_and_shows_no_figures(query: str, message: str) -> None:
    answer = browser("viewer").get(PAGE + query)

    assert message in text(answer)
    assert answer.context.get("currencies") is None


def test_median_is_estimated_from_the_ranges() -> None:
    viewer = browser("viewer")
    _reviews("staff:900", approved_count=4, waited_5m=2, waited_15m=2, waited_seconds=2_400)

    ((label, cells), _) = _context(viewer)["times"]

    assert label == "From flagging to the final decision"
    assert cells == ["4", "5 min", "14 min", "10 min"]


@pytest.mark.parametrize(
    ("role", "all_people"),
    [
        ("viewer", False),
        ("analyst", False),
        ("senior reviewer", True),
        ("risk manager", True),
        ("auditor", True),
    ],
)
def test_decisions_of_others_are_shown_to_some_roles(role: str, *, all_people: bool) -> None:
    """Without the condition on the reviewer, analysts would see each other's figures."""
    person = browser(role)
    own = actors.staff(int(person.session["_auth_user_id"]))
    _reviews(own, approved_count=3)
    _reviews("staff:900", approved_count=5)

    shown = _context(person)["reviewers"]

    decided = [cells[1] for _, cells in shown]
    assert decided == (["5", "3"] if all_people else ["3"])


def test_overturned_approvals_have_a_share() -> None:
    viewer = browser("viewer")
    _reviews("staff:900", approved_count=8, overturned_count=2, overturned_volume=15_000_00)

    ((code, cells),) = _context(viewer)["overturned"]

    assert (code, cells[:3]) == ("USD", ["8", "2", "25.0 %"])


def test_person_without_a_role_sees_nothing() -> None:
    person = browser()
    get_user_model().objects.get().groups.clear()

    assert person.get(PAGE).status_code == 403


def test_empty_log_shows_calm_sentences() -> None:
    shown = text(browser("viewer").get(PAGE))

    for sentence in ("No payments in this period", "No payments are waiting", "No decisions"):
        assert sentence in shown


def test_queries_do_not_grow_with_days_and_reviewers() -> None:
    viewer = browser("auditor")
    _context(viewer)
    with CaptureQueriesContext(connection) as few:
        _context(viewer)
    for number in range(20):
        _reviews(f"staff:{900 + number}", TODAY - timedelta(days=number), approved_count=1)
        _day(TODAY - timedelta(days=number), total_count=1)

    with CaptureQueriesContext(connection) as many:
        _context(viewer)

    assert len(many) <= len(few) + 1  # one more for the reviewers' names


@pytest.mark.django_db(transaction=True)
def test_decision_appears_with_its_time_from_claim() -> None:
    (payment,) = waiting()
    client = ApiClient(staff="sam", senior=True)
    for action, body in (("claim", {}), ("approve", {"reason": "other"})):
        assert client.post(f"{PAYMENTS}/{payment}/{action}", body).status_code == 200
    project()

    shown = _context(browser("risk manager"))

    ((name, cells),) = shown["reviewers"]
    assert name == "sam"
    assert cells[:2] == ["1", "1"]
    assert [cells[0] for _, cells in shown["times"]] == ["1", "1"]
