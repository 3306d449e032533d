"""The list of running and ended shadows."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from msgspec import Struct
from unfold.decorators import display

from payments import permissions
from payments.application import policies
from readmodels import labels
from readmodels.admin.backtests.lists import PolicyFilter
from readmodels.admin.backtests.shadows import SEE
from readmodels.admin.base import fragments, times
from readmodels.admin.base.browsing import BrowsingAdmin
from readmodels.admin.base.filters import ChoiceFilter
from readmodels.admin.policies.shadows import COLORS
from readmodels.backtests import shadows
from readmodels.backtests.models import Shadow
from readmodels.backtests.shadows import Figures
from readmodels.policies.names import names_of, short


class Details(Struct, frozen=True):
    """Data that a row shows in addition to its fields."""

    policy: str
    by: str
    figures: Figures


@admin.register(Shadow)
class ShadowAdmin(BrowsingAdmin):
    """All shadows, the newest first. `urls` has the page of each."""

    keyset: ClassVar = ("started_at", "id")
    has_pages = False
    list_display = ("policy", "state_badge", "started", "ended", "days", "payments", "flips", "by")
    list_filter = (("state", ChoiceFilter), PolicyFilter)
    empty_title = "No shadows yet"
    empty_text = "Open a proposed risk policy and choose “Observe as a shadow”."

    @display(description="Policy")
    def policy(self, row: Any) -> str:
        return fragments.foreign_text(row.details.policy, url=reverse("shadow", args=[row.pk]))

    @display(description="State", label={state.value: color for state, color in COLORS.items()})
    def state_badge(self, row: Shadow) -> tuple[str, str]:
        return row.state, labels.label(row.state)

    @display(description="Started (UTC)")
    def started(self, row: Shadow) -> str:
        return times.moment(row.started_at, times.MINUTE)

    @display(description="Ended (UTC)")
    def ended(self, row: Shadow) -> str:
        return "–" if row.ended_at is None else times.moment(row.ended_at, times.MINUTE)

    @display(description="Days")
    def days(self, row: Any) -> str:
        return f"{row.details.figures.days:,}"

    @display(description="Payments")
    def payments(self, row: Any) -> str:
        return f"{row.details.figures.payments:,}"

    @display(description="Decided otherwise")
    def flips(self, row: Any) -> str:
        return f"{row.details.figures.flips:,}"

    @display(description="By")
    def by(self, row: Any) -> str:
        return fragments.foreign_text(row.details.by)

    def details(self, rows: Sequence[Any]) -> Mapping[Any, Details]:
        names = names_of(policies.register())
        people = labels.people(row.started_by for row in rows)
        figures = shadows.figures([row.pk for row in rows])
        return {
            row.pk: Details(
                names.get(row.candidate_id, short(row.candidate_id)),
                people.get(row.started_by, row.started_by),
                figures[row.pk],
            )
            for row in rows
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.defer("candidate")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and permissions.holds(request.user, SEE)
