"""The list of backtests, and the page of each with its progress or result."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.fields.json import KeyTransform
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.decorators import display

from payments import permissions
from payments.api.http.paths import uuid
from payments.application import policies
from payments.domain.backtest import verdict
from payments.domain.backtest.question import Mode
from payments.domain.backtest.sampling import WHOLE
from payments.domain.risk.policy import PolicyStatus
from payments.domain.risk.register import Register
from readmodels import labels
from readmodels.admin.backtests.changes import AttachView, CancelView, ResumeView
from readmodels.admin.base import fragments, times
from readmodels.admin.base.browsing import BrowsingAdmin, as_uuid
from readmodels.admin.base.filters import ChoiceFilter, OneOf
from readmodels.backtests import questions, requests, tables
from readmodels.backtests.models import Backtest, State
from readmodels.policies.names import names_of, short

_COLORS: Final = {
    State.QUEUED: "info",
    State.RUNNING: "info",
    State.DONE: "success",
    State.CANCELLED: "warning",
    State.FAILED: "danger",
}
_REFRESH_SECONDS: Final = 5
_FEW: Final = 30  # parts: with fewer done, the remaining time is a guess
_MODES: Final = {
    Mode.RECORDED: "as recorded with each decision",
    Mode.AUTO: "recorded, or computed where nothing was recorded",
    Mode.RECONSTRUCTED: "computed from the log",
}


class PolicyFilter(OneOf):
    """Filter by a policy, which is chosen by name."""

    title = "policy"
    parameter_name = "candidate_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = names_of(policies.register())
        return sorted(names.items(), key=lambda item: item[1])


@admin.register(Backtest)
class BacktestAdmin(BrowsingAdmin):
    keyset: ClassVar = ("created_at", "id")
    list_display = ("requested", "policy", "state_badge", "until", "flips", "by")
    list_filter = (("state", ChoiceFilter), PolicyFilter)
    empty_title = "No backtests yet"
    empty_text = "Open a risk policy and choose “Test over history”."

    @display(description="Requested (UTC)")
    def requested(self, row: Backtest) -> str:
        return times.moment(row.created_at, times.MINUTE)

    @display(description="Policy")
    def policy(self, row: Any) -> str:
        return fragments.foreign_text(row.details["policy"])

    @display(description="State", label=_COLORS)
    def state_badge(self, row: Backtest) -> tuple[str, str]:
        return row.state, labels.label(row.state)

    @display(description="Knows the log up to (UTC)")
    def until(self, row: Backtest) -> str:
        return times.moment(row.known_at, times.MINUTE)

    @display(description="Decided otherwise")
    def flips(self, row: Any) -> str:
        return "–" if row.flip_count is None else f"{row.flip_count:,}"

    @display(description="By")
    def by(self, row: Any) -> str:
        return fragments.foreign_text(row.details["by"])

    def details(self, rows: Sequence[Any]) -> Mapping[Any, Mapping[str, str]]:
        """Return the names of policies and people."""
        names = names_of(policies.register())
        people = labels.people(row.requested_by for row in rows)
        return {
            row.pk: {
                "policy": names.get(row.candidate_id, row.candidate_id[:12]),
                "by": people.get(row.requested_by, row.requested_by),
            }
            for row in rows
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        rows = rows.filter(verifies=None).annotate(flip_count=KeyTransform("flips", "result"))
        return rows.defer("candidate", "baseline", "result")

    def get_urls(self) -> list[URLPattern]:
        buttons = [
            path(
                f"{uuid('backtest_id')}/{view.command}/",
                self.admin_site.admin_view(view.as_view()),
                name=f"backtest_{view.command}",
            )
            for view in (CancelView, ResumeView, AttachView)
        ]
        return [*buttons, *super().get_urls()]

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        backtest_id = as_uuid(object_id)
        if backtest_id is None:
            raise Http404("There is no such backtest.")
        try:
            backtest = requests.find(backtest_id)
        except requests.UnknownBacktest as error:
            raise Http404(str(error)) from error
        now = timezone.now()
        register = policies.register()
        names = names_of(register)
        name = names.get(backtest.candidate_id, short(backtest.candidate_id))
        shown: dict[str, Any] = {
            "title": f"Backtest: {name}",
            "original": backtest,
            "backtest": backtest,
            "policy_name": name,
            "in_register": backtest.candidate_id in names,
            "baseline_name": names.get(backtest.baseline_id, backtest.baseline_id[:12])
            if backtest.baseline_id
            else "History",
            "by": labels.person(backtest.requested_by),
            "mode": _MODES[Mode(backtest.mode)],
            "sample": None
            if backtest.sample_ppm == WHOLE
            else verdict.percent(backtest.sample_ppm),
            "state": labels.label(backtest.state),
            "color": _COLORS[State(backtest.state)],
            "may_run": permissions.holds(request.user, requests.RUN),
        }
        if backtest.state == State.DONE:
            return self.page(
                request,
                "backoffice/backtests/result.html",
                **shown,
                **_result(request, backtest, register),
            )
        return self._progress(request, backtest, now, shown)

    def _progress(
        self, request: HttpRequest, backtest: Backtest, now: datetime, shown: dict[str, Any]
    ) -> HttpResponse:
        """Show the progress of an unfinished backtest. The page reloads itself without scripts."""
        refreshes = backtest.is_unfinished and "stay" not in request.GET
        page = self.page(
            request,
            "backoffice/backtests/progress.html",
            **shown,
            headline=headline(backtest, now),
            progress=requests.progress(backtest),
            left=_left(backtest, now),
            is_unfinished=backtest.is_unfinished,
            is_interrupted=is_interrupted(backtest, now),
            refreshes=refreshes,
            refresh_seconds=_REFRESH_SECONDS,
        )
        if refreshes:
            # The person may be away: with this parameter, reloading does not extend the session.
            page.headers["Refresh"] = f"{_REFRESH_SECONDS}; url=?automatic="
        return page


def is_interrupted(backtest: Backtest, at: datetime) -> bool:
    """Return whether nothing continues the backtest, because its terminal was closed."""
    return backtest.is_unfinished and not backtest.in_background and not backtest.is_active(at)


def headline(backtest: Backtest, at: datetime) -> str:
    """Return a sentence with the state and the next step."""
    match backtest.state:
        case State.CANCELLED:
            return "Cancelled. It has no result. Test the policy again to get one."
        case State.FAILED:
            return "Failed. It has no result."
    if is_interrupted(backtest, at):
        return "Interrupted. Parts that are done are kept: resume it here."
    if backtest.is_worked_on(at):
        return "Running. You can leave this page: it continues."
    if backtest.started_at is None:
        return "Waiting for a worker. Two backtests run at a time."
    return "Waiting for a worker. Parts that are done are kept."


def _left(backtest: Backtest, at: datetime) -> str:
    """Return the estimated remaining time as text, empty if it cannot be estimated yet."""
    progress = requests.progress(backtest)
    if backtest.started_at is None or not progress.done or not backtest.is_worked_on(at):
        return ""
    spent = at - backtest.started_at
    left = spent * (progress.parts - progress.done) / progress.done
    return fragments.duration(max(left, timedelta()).total_seconds())


def _result(request: HttpRequest, backtest: Backtest, register: Register) -> dict[str, Any]:
    result = questions.stored_result(backtest)
    found = register.policies.get(backtest.candidate_id)
    attached = found.backtest if found is not None else None
    is_attached = attached is not None and attached.backtest_id == backtest.pk
    is_proposed = found is not None and found.status is PolicyStatus.PROPOSED
    question = questions.question_of(backtest)
    return {
        "verdict": verdict.verdict(result),
        "limits": verdict.limits(result),
        "result": result,
        "currencies": tables.currencies(result),
        "rules": tables.rules(result),
        "silent_rules": tables.silent_rules(result, question.candidate),
        "bands": tables.bands(result),
        "workload": tables.workload(result),
        "decision_minutes": f"{result.decision_time.ms / 60_000:.1f}",
        "counts": tables.counts(result),
        "known": verdict.percent(result.known_ppm),
        "share": verdict.percent(result.flip_share.ppm),
        "low": verdict.percent(result.flip_share.low_ppm),
        "high": verdict.percent(result.flip_share.high_ppm),
        "unknown": tables.unknown(result),
        "not_covered": tables.not_covered(result),
        "groups": tables.examples(result),
        "is_attached": is_attached,
        "may_attach": is_proposed
        and not is_attached
        and permissions.holds(request.user, permissions.MANAGE_POLICIES),
    }
