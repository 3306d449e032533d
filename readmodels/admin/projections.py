"""The projections: how far each is behind the log, and what to do if one stands still."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from readmodels import lag
from readmodels.admin.browsing import BrowsingAdmin
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
    list_display_links = None

    @display(
        description="State", label={"current": "success", "behind": "info", "stopped": "danger"}
    )
    def state(self, row: Any) -> tuple[str, str]:
        if row.lag is None or row.lag.error or row.lag.needs_rebuild:
            return "stopped", "stands still"
        return ("behind", "behind") if row.lag.events else ("current", "current")

    @display(description="Events behind")
    def events_behind(self, row: Any) -> str:
        return f"{row.lag.events:,}" if row.lag else ""

    @display(description="Seconds behind")
    def seconds_behind(self, row: Any) -> str:
        return f"{row.lag.seconds:.1f}" if row.lag else ""

    @display(description="Parked")
    def parked(self, row: Any) -> str:
        return f"{row.lag.parked:,}" if row.lag else ""

    @display(description="What to do")
    def advice(self, row: Any) -> str:
        if row.lag is None:
            return "No code projects this any more."
        if row.lag.needs_rebuild:
            return f"manage.py rebuild_projections {row.name}"
        if row.lag.error:
            return str(row.lag.error)
        return "See to the parked events" if row.lag.parked else "Nothing"

    def prepare(self, rows: Sequence[Any]) -> None:
        lags = {each.name: each for each in lag.measure()}
        for row in rows:
            row.lag = lags.get(row.name)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_view_permission(request)
