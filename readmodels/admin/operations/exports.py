"""The record of all exports, for auditors."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.utils.html import format_html
from unfold.decorators import display

from readmodels import labels
from readmodels.admin.base import fragments, times
from readmodels.admin.base.browsing import BrowsingAdmin
from readmodels.admin.base.date_filters import DaysOfTimesFilter
from readmodels.admin.base.filters import ChoiceFilter, titled
from readmodels.admin.operations.events import ActorFilter
from readmodels.exports.models import Export, State

_COLORS = {
    State.QUEUED: "info",
    State.RUNNING: "info",
    State.DONE: "success",
    State.INTERRUPTED: "warning",
    State.FAILED: "danger",
}


class PersonFilter(ActorFilter):
    """Filter by one person, given as an actor id, a user name or a name."""

    title = "person"
    parameter_name = "requested_by"
    column = "requested_by"


@admin.register(Export)
class ExportAdmin(BrowsingAdmin):
    keyset: ClassVar = ("requested_at", "id")
    list_display = ("when", "who", "what", "filters", "count", "outcome", "why")
    has_pages = False
    list_filter = (
        ("kind", ChoiceFilter),
        ("state", ChoiceFilter),
        PersonFilter,
        ("requested_at", titled(DaysOfTimesFilter, "date")),
    )

    empty_title = "No exports yet"
    empty_text = "Each file that staff make by “Export these rows” or “Export the evidence” is recorded here."

    @display(description="When (UTC)")
    def when(self, row: Export) -> str:
        return times.moment(row.requested_at)

    @display(description="By")
    def who(self, row: Any) -> str:
        return fragments.foreign_text(row.details)

    @display(description="What")
    def what(self, row: Export) -> str:
        label = f"{row.get_kind_display()} ({row.get_format_display()})"
        if row.subject is None:
            return label
        return fragments.link("readmodels_paymentsummary", str(row.subject), label)

    @display(description="Filters")
    def filters(self, row: Export) -> str:
        return fragments.foreign_text(row.query) if row.query else "–"

    @display(description="Rows")
    def count(self, row: Export) -> str:
        return f"{row.rows:,}"

    @display(description="Outcome", label=_COLORS)
    def outcome(self, row: Export) -> tuple[str, str]:
        return State(row.state), row.get_state_display()

    @display(description="Reason and SHA-256")
    def why(self, row: Export) -> str:
        return format_html(
            '<span class="digest"><bdi>{}</bdi> {}</span>', row.reason, row.digest or row.error
        )

    def details(self, rows: Sequence[Any]) -> Mapping[Any, str]:
        names = labels.people(row.requested_by for row in rows)
        return {row.pk: names.get(row.requested_by, row.requested_by) for row in rows}
