"""Daily statistics: one figure in a cell, totals per currency and a chart of the filtered rows."""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from readmodels.models import DailyStatistics
from tests.support.backoffice import browser, text

pytestmark = pytest.mark.django_db

PAGE: Final = "/admin/readmodels/dailystatistics/"
FIRST: Final = date(2026, 3, 1)


def _store(day: date, currency: str, client: int = 1, **figures: int) -> None:
    client_id = UUID(int=client)
    DailyStatistics.objects.create(
        key=f"{day}:{client_id}:{currency}",
        day=day,
        client_id=client_id,
        currency=currency,
        **figures,
    )


@pytest.fixture
def stored() -> None:
    for number in range(3):
        day = FIRST + timedelta(days=number)
        _store(day, "USD", total_count=1_000, total_volume=50_000_00, failed_count=number)
        _store(day, "EUR", client=2, total_count=2, total_volume=30_00)


def _context(query: str = "", *, username: str = "grace") -> Any:
    answer = browser("viewer", username).get(PAGE + query)
    assert answer.status_code == 200
    return answer.context


def _totals(context: Any) -> dict[str, list[str]]:
    return dict(context["totals"])


@pytest.mark.usefixtures("stored")
def test_totals_are_those_of_the_filtered_rows() -> None:
    context = _context("?day_from=2026-03-02")

    assert _totals(context)["USD"][:3] == ["2,000", "–", "3"]
    assert _totals(context)["EUR"][0] == "4"
    assert context["totals_period"].first == date(2026, 3, 2)


@pytest.mark.usefixtures("stored")
def test_totals_respect_the_currency() -> None:
    assert list(_totals(_context("?currency=eur"))) == ["EUR"]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("query", "title", "figure"),
    [("", "Submitted", "3,000"), ("?figures=amounts", "Submitted", "$150,000.00")],
)
def test_tab_chooses_the_figures_of_list_and_totals(query: str, title: str, figure: str) -> None:
    context = _context(query)

    assert context["totals_columns"][0] == title
    assert _totals(context)["USD"][0] == figure


@pytest.mark.usefixtures("stored")
def test_cell_has_one_figure_and_the_date_is_whole() -> None:
    html = browser("viewer").get(PAGE).content.decode()

    assert "·" not in html.partition('id="result_list"')[2].partition("</table>")[0]
    assert "2026-03-03" in html
    assert 'class="field-figure_total_count' in html


@pytest.mark.usefixtures("stored")
def test_chart_has_each_day_of_the_range() -> None:
    chart = _context()["chart"]

    assert chart.places == ("2026-03-01", "2026-03-02", "2026-03-03")
    assert chart.series[0].counts == ("1,002", "1,002", "1,002")


def test_totals_without_a_range_are_of_the_newest_days() -> None:
    """Without the limit, the totals of all years would be added up on each visit."""
    _store(FIRST, "USD", total_count=5)
    _store(FIRST + timedelta(days=89), "USD", total_count=3)
    _store(FIRST + timedelta(days=90), "USD", total_count=1)

    assert _totals(_context())["USD"][0] == "4"
    assert _totals(_context("?day_from=2026-01-01", username="vera"))["USD"][0] == "9"


def test_empty_list_has_no_totals() -> None:
    answer = browser("viewer").get(PAGE)

    assert answer.context.get("totals") is None
    assert "Totals" not in text(answer)
