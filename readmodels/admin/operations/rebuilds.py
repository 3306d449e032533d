"""The list of rebuilds, and the page of each with its progress, report and steps."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.decorators import display

from payments.api.http.paths import uuid
from readmodels import labels
from readmodels.admin.base import figures, fragments
from readmodels.admin.base.browsing import BrowsingAdmin, as_uuid
from readmodels.admin.base.filters import ChoiceFilter
from readmodels.admin.operations import rebuild_texts
from readmodels.admin.operations.rebuild_changes import (
    CancelView,
    ConfirmView,
    RestartView,
    StartView,
    command,
)
from readmodels.admin.operations.repairs import may_repair
from readmodels.models import RebuildRun
from readmodels.models.rebuilds import RunState
from readmodels.rebuild.runs import obstacles, reports, requests

_COLORS: Final[Mapping[str, str]] = {
    RunState.COMPARING: "info",
    RunState.COMPARED: "warning",
    RunState.SWAPPING: "info",
    RunState.SWAPPED: "success",
    RunState.CANCELLED: "info",
    RunState.FAILED: "danger",
    "stalled": "danger",
}
_REFRESH_SECONDS: Final = 2


@admin.register(RebuildRun)
class RebuildAdmin(BrowsingAdmin):
    keyset: ClassVar = ("requested_at", "id")
    list_display = ("requested", "projections", "state_badge", "differing", "by")
    list_filter = (("state", ChoiceFilter),)
    change_list_template = "backoffice/rebuilds/list.html"
    empty_title = "No rebuilds yet"
    empty_text = "A rebuild compares projections with the log, and repairs rows that differ."

    @display(description="Requested (UTC)")
    def requested(self, row: RebuildRun) -> str:
        return f"{row.requested_at:%Y-%m-%d %H:%M}"

    @display(description="Projections")
    def projections(self, row: RebuildRun) -> str:
        return ", ".join(row.names)

    @display(description="State", label=_COLORS)
    def state_badge(self, row: RebuildRun) -> tuple[str, str]:
        state = rebuild_texts.state(row, timezone.now())
        return state, labels.label(state)

    @display(description="Rows that differ")
    def differing(self, row: RebuildRun) -> str:
        if row.comparison is None:
            return figures.NONE
        return figures.count(sum(each.differing for each in reports.read(row.comparison)))

    @display(description="By")
    def by(self, row: Any) -> str:
        return fragments.foreign_text(row.details)

    def details(self, rows: Sequence[Any]) -> Mapping[Any, str]:
        """Return the names of those who requested the rebuilds."""
        names = labels.people(row.requested_by for row in rows)
        return {row.pk: names.get(row.requested_by, row.requested_by) for row in rows}

    def get_urls(self) -> list[URLPattern]:
        buttons = [
            path(
                f"{uuid('run_id')}/{view.command}/",
                self.admin_site.admin_view(view.as_view(admin=self)),
                name=f"rebuild_{view.command}",
            )
            for view in (CancelView, ConfirmView, RestartView)
        ]
        start = self.admin_site.admin_view(StartView.as_view(admin=self))
        return [path("start/", start, name="rebuild_start"), *buttons, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = {"may_repair": may_repair(request), **(extra_context or {})}
        return super().changelist_view(request, shown)

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show one run. While it is active, the page reloads itself without scripts."""
        run_id = as_uuid(object_id)
        if run_id is None:
            raise Http404("There is no such rebuild.")
        try:
            run = requests.find(run_id)
        except requests.UnknownRun as error:
            raise Http404(str(error)) from error
        now = timezone.now()
        state = rebuild_texts.state(run, now)
        is_running = run.is_active and not run.is_stalled(now)
        refreshes = is_running and "stay" not in request.GET
        comparisons = reports.read(run.comparison)
        repairs = may_repair(request)
        failed = repairs and run.state == RunState.FAILED
        page = self.page(
            request,
            "backoffice/rebuilds/run.html",
            title=f"Rebuild of {', '.join(run.names)}",
            original=run,
            run=run,
            state=labels.label(state),
            color=_COLORS[state],
            headline=rebuild_texts.headline(run, comparisons, now),
            is_running=is_running,
            is_stalled=run.is_stalled(now),
            events=figures.count(run.events),
            total=figures.count(run.total),
            may_repair=repairs,
            command=command(run.names),
            obstacle=obstacles.find(run.names) if failed else "",
            differing=rebuild_texts.differing(comparisons),
            equal=rebuild_texts.equal(comparisons),
            steps=rebuild_texts.steps(run),
            refreshes=refreshes,
            refresh_seconds=_REFRESH_SECONDS,
        )
        if refreshes:
            page.headers["Refresh"] = str(_REFRESH_SECONDS)
        return page
