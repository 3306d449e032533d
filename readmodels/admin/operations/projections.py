"""The list of projections: how far each is behind the log, and how to repair a stalled one."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from payments.events.reading import holders
from readmodels import labels
from readmodels.admin.base import fragments
from readmodels.admin.base.browsing import BrowsingAdmin
from readmodels.admin.operations.repairs import may_repair
from readmodels.engine import lag
from readmodels.engine.lag import Lag
from readmodels.models import Checkpoint


@admin.register(Checkpoint)
class ProjectionAdmin(BrowsingAdmin):
    keyset: ClassVar = ("name",)
    list_display = (
        "name",
        "state",
        "events_behind",
        "seconds_behind",
        "parked",
        "position",
        "version",
        "advice",
    )
    has_pages = False
    change_list_template = "backoffice/rebuilds/list.html"
    empty_title = "No projection has run yet"
    empty_text = "Projections begin as soon as a worker runs."

    @display(description="State", label=fragments.STATE_COLORS)
    def state(self, row: Any) -> tuple[str, str]:
        state = row.details.state if row.details else "stopped"
        return state, labels.label(state)

    @display(description="Events behind")
    def events_behind(self, row: Any) -> str:
        return f"{row.details.events:,}" if row.details else ""

    @display(description="Seconds behind")
    def seconds_behind(self, row: Any) -> str:
        return f"{row.details.seconds:.1f}" if row.details else ""

    @display(description="Parked")
    def parked(self, row: Any) -> str:
        if not (row.details and row.details.parked):
            return "0" if row.details else ""
        url = reverse("admin:readmodels_parkedevent_changelist")
        return format_html(
            '<a class="link" href="{}?projection={}">{}</a>',
            url,
            row.name,
            f"{row.details.parked:,}",
        )

    @display(description="What to do")
    def advice(self, row: Any) -> str:
        if row.details is None:
            return "The code has no such projection any more"
        if row.details.ahead_of_log:
            return "Run ./manage.py projections to see the repair"
        if row.details.needs_rebuild:
            url = f"{reverse('admin:rebuild_start')}?name={row.name}"
            return format_html('<a class="link" href="{}">Rebuild it</a>', url)
        if row.details.error:
            return str(row.details.error)
        return "Retry or discard the parked events" if row.details.parked else "Nothing"

    def details(self, rows: Sequence[Any]) -> Mapping[Any, Lag]:
        """Return the lag of each projection. Removed projections have rows, but no lag."""
        return {each.name: each for each in lag.measure()}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.has_view_permission(request):
            for append in holders.open_appends(longer_than=holders.LONG_SECONDS):
                messages.warning(request, str(append))
        shown = {"may_repair": may_repair(request), **(extra_context or {})}
        return super().changelist_view(request, shown)
