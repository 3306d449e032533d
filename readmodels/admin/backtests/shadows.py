"""Run a proposed policy as a shadow: start it, stop it, and show its days."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from payments import permissions
from payments.application import policies
from payments.domain.backtest import verdict
from payments.domain.backtest.result import Result
from payments.domain.backtest.tally import Tally
from payments.events.reading.horizon import HorizonHeld
from readmodels import labels
from readmodels.admin.base import charts, requests as facts
from readmodels.admin.base.charts import Bars
from readmodels.admin.policies.register import find_policy, page
from readmodels.admin.policies.shadows import COLORS
from readmodels.backtests import daily, requests, shadows, tables
from readmodels.backtests.daily import Day, Sides
from readmodels.backtests.models import Shadow, ShadowState
from readmodels.policies.names import names_of, short

SEE: Final = "backtests.view_backtest"
_ENDED: Final = {
    ShadowState.STOPPED: "Stopped. New payments are not counted any more.",
    ShadowState.APPROVED: "The policy was approved. It decides itself now.",
    ShadowState.WITHDRAWN: "The proposal was withdrawn.",
    ShadowState.EXPIRED: "Observed for 30 days, as long as a shadow runs.",
}
_BARS: Final = (
    ("Reviews, active policy", "var(--color-base-400)", "active"),
    ("Blocks, active policy", "var(--color-base-600)", "active"),
    ("Reviews, shadow", "var(--color-primary-600)", "shadow"),
    ("Blocks, shadow", "var(--color-red-700)", "shadow"),
)


@require_POST
def start(request: HttpRequest, policy_id: str) -> HttpResponse:
    """Run the proposed policy as a shadow from now on."""
    _require(request, requests.RUN)
    find_policy(policies.register(), policy_id)
    try:
        started = shadows.start(policy_id, by=facts.actor(request), at=timezone.now())
    except policies.UnknownPolicy as error:
        raise Http404(str(error)) from error
    except (
        shadows.AlreadyObserved,
        shadows.NotProposed,
        shadows.TooManyShadows,
        HorizonHeld,
    ) as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse("policy", args=[policy_id]))
    messages.success(request, "The policy is observed on new payments from now on.")
    return _to_page(started.pk)


@require_POST
def stop(request: HttpRequest, shadow_id: UUID) -> HttpResponse:
    """End a shadow."""
    _require(request, requests.RUN)
    try:
        shadows.stop(shadow_id, by=facts.actor(request), at=timezone.now())
    except shadows.UnknownShadow as error:
        raise Http404(str(error)) from error
    except shadows.ShadowEnded as error:
        messages.error(request, f"This shadow has ended: {labels.label(error.state).lower()}.")
    else:
        messages.success(request, "Stopped. What was counted stays.")
    return _to_page(shadow_id)


@require_GET
def shadow_page(request: HttpRequest, shadow_id: UUID) -> HttpResponse:
    """Show the active policy next to the shadow for each day."""
    _require(request, SEE)
    try:
        shadow, tallies = shadows.with_days(shadows.find(shadow_id))
    except shadows.UnknownShadow as error:
        raise Http404(str(error)) from error
    names = names_of(policies.register())
    name = names.get(shadow.candidate_id, short(shadow.candidate_id))
    result, total = daily.total(tallies.values())
    return page(
        request,
        "backoffice/backtests/shadow.html",
        title=f"Shadow: {name}",
        shadow=shadow,
        policy_name=name,
        state=labels.label(shadow.state),
        color=COLORS[ShadowState(shadow.state)],
        headline=_headline(shadow),
        verdict=verdict.verdict(result, labeled=False),
        limits=verdict.limits(result, labeled=False),
        started_by=labels.person(shadow.started_by),
        stopped_by=labels.person(shadow.stopped_by) if shadow.stopped_by else "",
        digest=shadows.digest_of(shadow, tallies),
        may_run=permissions.holds(request.user, requests.RUN),
        **_figures(tallies, result, total),
    )


def _figures(tallies: Mapping[date, Tally], result: Result, total: Day) -> dict[str, Any]:
    days = daily.days(tallies)
    counts = zip(
        *(
            (day.reviews.active, day.blocks.active, day.reviews.shadow, day.blocks.shadow)
            for day in days
        ),
        strict=True,
    )
    bars = [
        Bars(label=label, color=color, stack=stack, counts=each)
        for (label, color, stack), each in zip(_BARS, counts, strict=False)
    ]
    return {
        "days": [(f"{day.day:%Y-%m-%d}", _counts(day)) for day in reversed(days)],
        "total": _counts(total) if len(days) > 1 else None,
        "money_of_all": [("", list(_money(total)))],
        "money_by_day": [(f"{day.day:%Y-%m-%d}", list(_money(day))) for day in reversed(days)],
        "chart": charts.by_day(sorted(tallies), bars) if days else "",
        "chart_options": charts.OPTIONS,
        "workload": tables.workload(result),
        "not_covered": tables.not_covered(result),
        "groups": tables.examples(result),
    }


def _counts(day: Day) -> list[tuple[str, bool]]:
    """Return the cells of a row, and for each whether the shadow differs."""
    return [
        (f"{day.payments:,}", False),
        (f"{day.reviews.active:,}", False),
        (f"{day.reviews.shadow:,}", _differs(day.reviews)),
        (f"{day.blocks.active:,}", False),
        (f"{day.blocks.shadow:,}", _differs(day.blocks)),
        (f"{day.flips:,}", day.flips > 0),
        (f"{day.not_evaluable:,}", False),
    ]


def _money(day: Day) -> Iterator[tuple[str, list[tuple[str, bool]]]]:
    for each in day.money:
        yield (
            each.currency,
            [
                (f"{each.payments:,}", False),
                (labels.amount(each.held.active, each.currency), False),
                (labels.amount(each.held.shadow, each.currency), _differs(each.held)),
                (labels.amount(each.blocked.active, each.currency), False),
                (labels.amount(each.blocked.shadow, each.currency), _differs(each.blocked)),
            ],
        )


def _differs(sides: Sides) -> bool:
    return sides.active != sides.shadow


def _headline(shadow: Shadow) -> str:
    if not shadow.is_running:
        return _ENDED[ShadowState(shadow.state)]
    if shadow.error:
        return "Stalled. It continues when the next events can be read."
    return "Running. New payments are counted about once a minute."


def _require(request: HttpRequest, permission: str) -> None:
    if not permissions.holds(request.user, permission):
        raise PermissionDenied


def _to_page(shadow_id: UUID) -> HttpResponse:
    return HttpResponseRedirect(reverse("shadow", args=[shadow_id]))
