"""The list of daily statistics: sums for each UTC day, client and currency, with totals and a chart."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import Max, Min, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from msgspec import Struct
from unfold.decorators import display

from payments.clients.models import Client
from readmodels import labels
from readmodels.admin.analytics import tables
from readmodels.admin.base import fragments
from readmodels.admin.base.browsing import BrowsingAdmin
from readmodels.admin.base.date_filters import DaysFilter
from readmodels.admin.base.figures import NONE, count
from readmodels.admin.base.filters import ClientFilter, CurrencyFilter, OneOf
from readmodels.models import DailyStatistics
from readmodels.queries import analytics
from readmodels.queries.analytics import Period, Sums
from readmodels.queries.bounded import TooBroad, bounded

# The totals cover at most this many days: the chosen range, or else the newest days.
_MOST: Final = 366
_NEWEST: Final = 90
_VOLUME: Final = "_volume"


class View(Struct, frozen=True, kw_only=True):
    """The columns that the list shows. Each has the name of a counter and a title."""

    label: str
    columns: Mapping[str, str]


_OUTCOMES: Final = ("completed", "failed", "rejected", "cancelled", "expired", "refunded")
VIEWS: Final = {
    "": View(
        label="Payments",
        columns={
            "total_count": "Submitted",
            **{f"{each}_count": capfirst(each) for each in _OUTCOMES},
            "review_count": "Reviews",
            "open_reviews": "Open",
        },
    ),
    "amounts": View(
        label="Amounts",
        columns={
            "total_volume": "Submitted",
            **{f"{each}{_VOLUME}": capfirst(each) for each in _OUTCOMES},
        },
    ),
    "disputes": View(
        label="Disputes",
        columns={
            "payment_day_disputed_count": "Disputed since",
            "payment_day_disputed_volume": "Disputed amount",
            "payment_day_lost_count": "Lost since",
            "payment_day_lost_volume": "Lost amount",
            "dispute_day_disputed_count": "Opened",
            "dispute_day_disputed_volume": "Opened amount",
            "dispute_day_lost_count": "Then lost",
            "dispute_day_lost_volume": "Loss",
        },
    ),
}


class FiguresFilter(OneOf):
    """Choose the figures that the columns show. This filter excludes no rows."""

    title = "figures"
    parameter_name = "figures"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, view.label) for name, view in VIEWS.items() if name]

    def condition(self) -> Q:
        return Q()

    def described(self) -> str:
        return ""


def _column(name: str, title: str) -> Any:
    @display(description=title)
    def figure(row: DailyStatistics) -> str:
        return _text(name, getattr(row, name), row.currency)

    figure.__name__ = f"figure_{name}"  # becomes the CSS class of the cells
    return figure


_COLUMNS: Final = {
    name: [_column(*each) for each in view.columns.items()] for name, view in VIEWS.items()
}


@admin.register(DailyStatistics)
class DailyStatisticsAdmin(BrowsingAdmin):
    keyset: ClassVar = ("key",)  # begins with the day
    exported_as = "statistics"
    list_display = ("day_text", "client", "currency")
    has_pages = False
    change_list_template = "backoffice/statistics.html"
    list_filter = (("day", DaysFilter), CurrencyFilter, ClientFilter, FiguresFilter)
    empty_title = "No payments yet"
    empty_text = "Each day with payments has a row for each client and currency."

    @display(description="Day")
    def day_text(self, row: DailyStatistics) -> str:
        return f"{row.day:%Y-%m-%d}"

    @display(description="Client")
    def client(self, row: Any) -> str:
        return fragments.foreign_text(row.details)

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        return (*self.list_display, *_COLUMNS[_chosen(request)])

    def details(self, rows: Sequence[Any]) -> Mapping[Any, str]:
        """Return the names of the clients."""
        clients = Client.objects.in_bulk({row.client_id for row in rows})
        return {row.pk: str(clients.get(row.client_id, "unknown")) for row in rows}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        answer = super().changelist_view(request, extra_context)
        if isinstance(answer, TemplateResponse) and "cl" in (answer.context_data or {}):
            assert answer.context_data is not None  # noqa: S101 - for mypy
            listing = answer.context_data["cl"]
            try:
                with bounded():
                    answer.context_data |= _totals(request, listing.queryset)
            except TooBroad as error:
                answer.context_data["totals_explanation"] = str(error)
            answer.context_data["figures_tabs"] = [
                (
                    view.label,
                    listing.get_query_string({"figures": name}, remove=["after", "before"])
                    if name
                    else listing.get_query_string(remove=["figures", "after", "before"]),
                    name == _chosen(request),
                )
                for name, view in VIEWS.items()
            ]
        return answer


def _chosen(request: HttpRequest) -> str:
    chosen = request.GET.get(FiguresFilter.parameter_name, "")
    return chosen if chosen in VIEWS else ""


def _totals(request: HttpRequest, rows: QuerySet[DailyStatistics]) -> dict[str, Any]:
    """Return the totals of the filtered rows by currency, and their chart."""
    has_range = request.GET.get("day_from") or request.GET.get("day_to")
    ends = rows.order_by().aggregate(first=Min("day"), last=Max("day"))
    if ends["last"] is None:
        return {}
    earliest = ends["last"] - timedelta(days=(_MOST if has_range else _NEWEST) - 1)
    period = Period(max(ends["first"], earliest), ends["last"])
    found = rows.filter(day__gte=period.first)
    columns = VIEWS[_chosen(request)].columns
    days: dict[date, Sums] = dict(analytics.payments_of(found, "day"))
    return {
        "totals_period": period,
        "totals_columns": list(columns.values()),
        "totals": [
            (code, [_text(name, sums[name], code) for name in columns])
            for code, sums in analytics.payments_of(found, "currency").items()
        ],
        "chart": tables.outcomes(period, days),
    }


def _text(name: str, figure: int, currency: str) -> str:
    if not figure:
        return NONE
    return labels.amount(figure, currency) if name.endswith(_VOLUME) else count(figure)
