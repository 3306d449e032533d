"""The list of discarded events: who decided that a projection skips an event, and why."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.contrib import admin
from unfold.decorators import display

from readmodels import labels
from readmodels.admin.base import fragments, times
from readmodels.admin.base.browsing import BrowsingAdmin, as_uuid
from readmodels.admin.base.filters import ProjectionFilter
from readmodels.models import DiscardedEvent
from readmodels.queries.search.places import Place, exact


@admin.register(DiscardedEvent)
class DiscardedAdmin(BrowsingAdmin):
    list_display = ("event", "projection", "payment", "why", "by", "when")
    has_pages = False
    list_filter = (ProjectionFilter,)
    search_fields = ("aggregate_id",)  # shows the search box; `places` searches
    search_help_text = "Payment id"
    empty_title = "No event was discarded"
    empty_text = "Parked events can be discarded on their page."

    @display(description="Event")
    def event(self, row: DiscardedEvent) -> str:
        return fragments.link("readmodels_eventindex", row.position, str(row.position))

    @display(description="Payment")
    def payment(self, row: DiscardedEvent) -> str:
        return fragments.link("readmodels_paymentsummary", row.aggregate_id, str(row.aggregate_id))

    @display(description="Reason")
    def why(self, row: DiscardedEvent) -> str:
        return fragments.foreign_text(row.reason or "The reason was erased.")

    @display(description="By")
    def by(self, row: Any) -> str:
        return fragments.foreign_text(row.details)

    @display(description="When (UTC)")
    def when(self, row: DiscardedEvent) -> str:
        return times.moment(row.discarded_at)

    def details(self, rows: Sequence[Any]) -> Mapping[Any, str]:
        """Return the names of those who discarded the events."""
        names = labels.people(row.discarded_by for row in rows)
        return {row.pk: names.get(row.discarded_by, row.discarded_by) for row in rows}

    def places(self, text: str) -> Iterator[Place]:
        """Search by payment. No index is needed: people create every row, so there are few."""
        if payment_id := as_uuid(text):
            yield exact("payment id", aggregate_id=payment_id)
