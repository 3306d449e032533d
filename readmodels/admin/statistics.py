"""The list of daily statistics: sums for each UTC day, client and currency."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from unfold.decorators import display

from payments.clients.models import Client
from readmodels import labels
from readmodels.admin.base import fragments
from readmodels.admin.base.browsing import BrowsingAdmin
from readmodels.admin.base.filters import ClientFilter, CurrencyFilter, DaysFilter
from readmodels.models import DailyStatistics

_NONE: Final = "–"


@admin.register(DailyStatistics)
class DailyStatisticsAdmin(BrowsingAdmin):
    keyset: ClassVar = ("key",)  # begins with the day
    list_display = (
        "day",
        "client",
        "currency",
        "total",
        "completed",
        "failed",
        "rejected",
        "cancelled",
        "expired",
        "refunded",
        "disputes_opened",
        "reviews",
    )
    has_pages = False
    list_filter = (("day", DaysFilter), CurrencyFilter, ClientFilter)

    @display(description="Client")
    def client(self, row: Any) -> str:
        return fragments.foreign_text(row.details)

    @display(description="Submitted")
    def total(self, row: DailyStatistics) -> str:
        """Show the submitted payments, their average, and which of them were disputed on any day."""
        total = _sum(row.total_count, row.total_volume, row.currency)
        average = _NONE
        if row.total_count > 1:
            average = labels.amount(round(row.total_volume / row.total_count), row.currency)
        disputed = _sum(
            row.payment_day_disputed_count, row.payment_day_disputed_volume, row.currency
        )
        lost = _sum(row.payment_day_lost_count, row.payment_day_lost_volume, row.currency)
        return _with_beneath(total, average=average, disputed=disputed, lost=lost)

    @display(description="Completed")
    def completed(self, row: DailyStatistics) -> str:
        return _sum(row.completed_count, row.completed_volume, row.currency)

    @display(description="Failed")
    def failed(self, row: DailyStatistics) -> str:
        return _sum(row.failed_count, row.failed_volume, row.currency)

    @display(description="Rejected")
    def rejected(self, row: DailyStatistics) -> str:
        return _sum(row.rejected_count, row.rejected_volume, row.currency)

    @display(description="Cancelled")
    def cancelled(self, row: DailyStatistics) -> str:
        return _sum(row.cancelled_count, row.cancelled_volume, row.currency)

    @display(description="Expired")
    def expired(self, row: DailyStatistics) -> str:
        return _sum(row.expired_count, row.expired_volume, row.currency)

    @display(description="Refunds")
    def refunded(self, row: DailyStatistics) -> str:
        return _sum(row.refunded_count, row.refunded_volume, row.currency)

    @display(description="Disputes opened")
    def disputes_opened(self, row: DailyStatistics) -> str:
        disputed = _sum(
            row.dispute_day_disputed_count, row.dispute_day_disputed_volume, row.currency
        )
        lost = _sum(row.dispute_day_lost_count, row.dispute_day_lost_volume, row.currency)
        return _with_beneath(disputed, lost=lost)

    @display(description="Reviews (open)")
    def reviews(self, row: DailyStatistics) -> str:
        if not row.review_count and not row.open_reviews:
            return _NONE
        return f"{row.review_count:,} ({row.open_reviews:,})"

    def details(self, rows: Sequence[Any]) -> Mapping[Any, str]:
        """Return the names of the clients."""
        clients = Client.objects.in_bulk({row.client_id for row in rows})
        return {row.pk: str(clients.get(row.client_id, "unknown")) for row in rows}


def _with_beneath(text: str, **beneath: str) -> str:
    lines = [(f"{name} {sums}",) for name, sums in beneath.items() if sums != _NONE]
    return format_html("{}{}", text, format_html_join("", '<span class="beneath">{}</span>', lines))


def _sum(count: int, volume: int, currency: str) -> str:
    return f"{count:,} · {labels.amount(volume, currency)}" if count else _NONE
