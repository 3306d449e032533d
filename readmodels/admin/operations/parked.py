"""Parked events: those that a projection could not apply, and those that wait behind them."""

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.text import Truncator
from unfold.decorators import display

from readmodels.admin.base import fragments, times
from readmodels.admin.base.browsing import BrowsingAdmin, as_uuid
from readmodels.admin.base.filters import EventTypeFilter, ProjectionFilter
from readmodels.admin.operations.repairs import DiscardView, RetryView, may_repair, to_list
from readmodels.models import ParkedEvent
from readmodels.projections import PROJECTIONS
from readmodels.queries.search.places import Place

WAITS: Final = "Waits for an earlier event of its payment"
_MOST_BEHIND: Final = 20


@admin.register(ParkedEvent)
class ParkedAdmin(BrowsingAdmin):
    keyset: ClassVar = ("position", "projection")
    list_display = ("position", "projection", "event", "payment", "why", "attempts", "since")
    list_filter = (ProjectionFilter, EventTypeFilter)
    search_fields = ("aggregate_id",)  # shows the search box; `places` searches
    search_help_text = "Payment id"
    empty_title = "No event is parked"
    empty_text = "The projections could apply all events that they have read."

    @display(description="Event")
    def event(self, row: ParkedEvent) -> str:
        return f"{row.event_type} v{row.version}"

    @display(description="Payment")
    def payment(self, row: ParkedEvent) -> str:
        return fragments.link("readmodels_paymentsummary", row.aggregate_id, str(row.aggregate_id))

    @display(description="Why")
    def why(self, row: ParkedEvent) -> str:
        return fragments.foreign_text(Truncator(row.error).chars(80)) if row.error else WAITS

    @display(description="Since (UTC)")
    def since(self, row: ParkedEvent) -> str:
        return times.moment(row.parked_at)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.defer("traceback")

    def places(self, text: str) -> Iterator[Place]:
        """Search by payment. Name all projections, because the unique index starts with them."""
        if payment_id := as_uuid(text):
            columns: dict[str, list[Any]] = {
                "projection": list(PROJECTIONS),
                "aggregate_id": [payment_id] * len(PROJECTIONS),
            }
            yield Place(kind="payment", label="payment id", columns=columns)

    def get_urls(self) -> list[URLPattern]:
        repairs = [
            path(f"<int:pk>/{name}/", self.form_view(view), name=f"parked_{name}")
            for name, view in (("retry", RetryView), ("discard", DiscardView))
        ]
        return [*repairs, *super().get_urls()]

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show one event, or return to the list if the event is no longer parked."""
        row = self.get_object(request, object_id)
        if row is None:
            messages.info(request, "This event is no longer parked.")
            return to_list()
        same_payment = ParkedEvent.objects.filter(
            projection=row.projection, aggregate_id=row.aggregate_id
        ).order_by("position")
        behind = same_payment.defer("traceback").filter(position__gt=row.position)[:_MOST_BEHIND]
        return self.page(
            request,
            "backoffice/parked.html",
            title=f"{row.event_type} at {row.position}, parked by {row.projection}",
            original=row,
            row=row,
            first=same_payment.defer("traceback").first(),
            behind=behind,
            may_repair=may_repair(request),
        )
