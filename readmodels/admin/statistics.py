"""Daily statistics: one client's sums in one currency on one UTC day."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display

from payments.clients.models import Client
from readmodels.admin import words
from readmodels.admin.browsing import BrowsingAdmin
from readmodels.admin.payments import CurrencyFilter
from readmodels.models import DailyStatistics


class ClientFilter(admin.SimpleListFilter):
    """The clients by name; there are few of them."""

    title = "client"
    parameter_name = "client"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        clients = Client.objects.order_by("name").values_list("pk", "name")[:200]
        return [(str(pk), name) for pk, name in clients]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = {value for value, _ in self.lookup_choices}
        if self.value() not in known:
            return queryset
        return queryset.filter(client_id=self.value())


@admin.register(DailyStatistics)
class DailyStatisticsAdmin(BrowsingAdmin):
    keyset: ClassVar = ("key",)  # begins with the day
    list_display = (
        "day",
        "client",
        "currency",
        "total",
        "average",
        "completed",
        "failed",
        "rejected",
        "refunded",
        "reviews",
    )
    has_pages = False
    list_filter = (("day", RangeDateFilter), CurrencyFilter, ClientFilter)

    @display(description="Client")
    def client(self, row: Any) -> str:
        return words.said(row.client_name)

    @display(description="Submitted")
    def total(self, row: DailyStatistics) -> str:
        return _sum(row.total_count, row.total_volume, row.currency)

    @display(description="Average")
    def average(self, row: DailyStatistics) -> str:
        if not row.total_count:
            return "–"
        return words.amount(round(row.total_volume / row.total_count), row.currency)

    @display(description="Completed")
    def completed(self, row: DailyStatistics) -> str:
        return _sum(row.completed_count, row.completed_volume, row.currency)

    @display(description="Failed")
    def failed(self, row: DailyStatistics) -> str:
        return _sum(row.failed_count, row.failed_volume, row.currency)

    @display(description="Rejected")
    def rejected(self, row: DailyStatistics) -> str:
        return _sum(row.rejected_count, row.rejected_volume, row.currency)

    @display(description="Refunds")
    def refunded(self, row: DailyStatistics) -> str:
        return _sum(row.refunded_count, row.refunded_volume, row.currency)

    @display(description="Reviews (open)")
    def reviews(self, row: DailyStatistics) -> str:
        if not row.review_count and not row.open_reviews:
            return "–"
        return f"{row.review_count:,} ({row.open_reviews:,})"

    def prepare(self, rows: Sequence[Any]) -> None:
        clients = Client.objects.in_bulk({row.client_id for row in rows})
        for row in rows:
            row.client_name = clients.get(row.client_id, "unknown")


def _sum(count: int, volume: int, currency: str) -> str:
    return f"{count:,} · {words.amount(volume, currency)}" if count else "–"
