"""The projections: how far each is behind the log, and what to do if one stands still."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from payments.events.reading import holders
from readmodels.admin.base import fragments
from readmodels.admin.base.browsing import BrowsingAdmin
from readmodels.engine import lag
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

    @display(description="State", label=fragments.STATE_COLOURS)
    def state(self, row: Any) -> tuple[str, str]:
        state = row.lag.state if row.lag else "stopped"
        return state, fragments.plain(state)

    @display(description="Events behind")
    def events_behind(self, row: Any) -> str:
        return f"{row.lag.events:,}" if row.lag else ""

    @display(description="Seconds behind")
    def seconds_behind(self, row: Any) -> str:
        return f"{row.lag.seconds:.1f}" if row.lag else ""

    @display(description="Parked")
    def parked(self, row: Any) -> str:
        if not (row.lag and row.lag.parked):
            return "0" if row.lag else ""
        url = reverse("admin:readmodels_parkedevent_changelist")
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500 underline" href="{}?projection={}">{}</a>',
            url,
            row.name,
            f"{row.lag.parked:,}",
        )

    @display(description="What to do")
    def advice(self, row: Any) -> str:
        if row.lag is None:
            return "The code has no such projection any more"
        if row.lag.ahead_of_log:
            return "Run ./manage.py projections to see the repair"
        if row.lag.needs_rebuild:
            return f"Run ./manage.py rebuild_projections {row.name}"
        if row.lag.error:
            return str(row.lag.error)
        return "Retry or discard the parked events" if row.lag.parked else "Nothing"

    def prepare(self, rows: Sequence[Any]) -> None:
        lags = {each.name: each for each in lag.measure()}
        for row in rows:
            row.lag = lags.get(row.name)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.has_view_permission(request):
            for append in holders.open_appends(longer_than=holders.LONG_SECONDS):
                messages.warning(request, str(append))
        return super().changelist_view(request, extra_context)
