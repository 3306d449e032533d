"""Start, confirm, cancel or restart a rebuild. The use cases record who did it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views import View
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from readmodels.admin.base import requests as facts
from readmodels.admin.operations.repairs import may_repair
from readmodels.models import RebuildRun
from readmodels.models.rebuilds import RunState
from readmodels.projections import PROJECTIONS
from readmodels.rebuild.runs import obstacles, reports, requests


class StartForm(forms.Form):
    """The projections to rebuild."""

    names = forms.MultipleChoiceField(
        label="Projections",
        choices=[(name, name) for name in PROJECTIONS],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Several are built in one pass over the log.",
        error_messages={"required": "Choose at least one projection."},
    )


class StartView(View):
    """Ask which projections to rebuild, unless the service cannot rebuild any."""

    admin: Any = None
    http_method_names = ["get", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may_repair(request):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        if run := requests.active():
            return _to_running(request, run)
        asked = [name for name in request.GET.getlist("name") if name in PROJECTIONS]
        if obstacle := obstacles.find(asked or list(PROJECTIONS)):
            page: HttpResponse = self.admin.page(
                request,
                "backoffice/rebuilds/obstacle.html",
                title="Rebuild projections",
                original=None,
                obstacle=obstacle,
                command=command(asked),
            )
            return page
        return self._page(request, StartForm(initial={"names": asked or list(PROJECTIONS)}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = StartForm(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        by = facts.actor(request)
        try:
            run = requests.request(form.cleaned_data["names"], by=by, at=timezone.now())
        except requests.AnotherRun as error:
            if other := requests.active():
                return _to_running(request, other)
            form.add_error(None, str(error))  # the other run has just ended
            return self._page(request, form)
        messages.success(request, "Requested. Nothing is swapped before you confirm the report.")
        return to_page(run.pk)

    def _page(self, request: HttpRequest, form: StartForm) -> HttpResponse:
        page: HttpResponse = self.admin.page(
            request,
            "backoffice/form.html",
            title="Rebuild projections",
            original=None,
            form=form,
            button="Build and compare",
            lines=[
                "The workers build new tables from the log and compare them with the live ones."
                " Reads and writes continue.",
                "The tables are swapped in after you have read the report and confirmed it.",
            ],
            back=reverse("admin:readmodels_rebuildrun_changelist"),
        )
        return page


class RunView(ABC, View):
    """A button on the page of a run. `command` names it."""

    admin: Any = None
    command: ClassVar[str]
    done: ClassVar[str]
    http_method_names = ["post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may_repair(request):
            raise PermissionDenied
        try:
            return super().dispatch(request, *args, **kwargs)
        except requests.UnknownRun as error:
            raise Http404(str(error)) from error

    def post(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        try:
            self.change(request, run_id)
        except (requests.WrongState, requests.AnotherRun, requests.ReportChanged) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, self.done)
        return to_page(run_id)

    @abstractmethod
    def change(self, request: HttpRequest, run_id: UUID) -> None:
        """Carry out the command. Raises UnknownRun, WrongState, AnotherRun and ReportChanged."""


class CancelView(RunView):
    command = "cancel"
    done = "Cancelled. Nothing was changed."

    def change(self, request: HttpRequest, run_id: UUID) -> None:
        requests.cancel(run_id, by=facts.actor(request), at=timezone.now())


class RestartView(RunView):
    command = "restart"
    done = "Started again. It is waiting for a worker."

    def change(self, request: HttpRequest, run_id: UUID) -> None:
        requests.restart(run_id, by=facts.actor(request), at=timezone.now())


class ConfirmView(RunView):
    """Ask the person to confirm the report that they read, then request the swap."""

    command = "confirm"
    done = "Confirmed. The tables are swapped in if the report still holds."
    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        run = requests.find(run_id)
        if run.state != RunState.COMPARED:
            messages.error(request, str(requests.WrongState(run)))
            return to_page(run_id)
        if request.GET.get("report") != run.digest:
            messages.error(request, str(requests.ReportChanged()))
            return to_page(run_id)
        page: HttpResponse = self.admin.page(
            request,
            "backoffice/form.html",
            title="Swap the new tables in",
            original=None,
            lines=_consequences(run),
            hidden={"report": run.digest},
            button="Build again and swap in",
            back=reverse("admin:readmodels_rebuildrun_change", args=[run_id]),
        )
        return page

    def change(self, request: HttpRequest, run_id: UUID) -> None:
        digest = request.POST.get("report", "")
        requests.confirm(run_id, digest=digest, by=facts.actor(request), at=timezone.now())


def _to_running(request: HttpRequest, run: RebuildRun) -> HttpResponse:
    messages.info(request, "A rebuild is running already. This is its page.")
    return to_page(run.pk)


def to_page(run_id: UUID) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:readmodels_rebuildrun_change", args=[run_id]))


def command(names: Sequence[str]) -> str:
    """Return the command that rebuilds the projections in a terminal."""
    chosen = [] if set(names) >= PROJECTIONS.keys() else names
    return " ".join(("./manage.py rebuild_projections", *chosen))


def _consequences(run: RebuildRun) -> list[str]:
    """Return what the person should know before the swap."""
    changes = [
        f"{each.projection}: {each.differing:,} of {max(each.live_rows, each.built_rows):,} rows change."
        for each in reports.read(run.comparison)
        if each.differing
    ]
    return [
        *(changes or ["No row changes."]),
        "The tables are built again, up to the newest event. If the comparison then differs from the report,"
        " nothing is swapped, and you can read the new report.",
        "Readers see the old rows until the swap, which takes less than a second.",
    ]
