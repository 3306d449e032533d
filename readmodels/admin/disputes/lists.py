"""The lists of disputes, open ones by due time and all by opening time, and the page of each."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import display

from payments.api.http.paths import uuid
from payments.domain.payment.disputes import DisputeStatus
from readmodels import labels
from readmodels.admin.base import fragments, times
from readmodels.admin.base.browsing import BrowsingAdmin, as_uuid
from readmodels.admin.base.date_filters import DaysOfTimesFilter
from readmodels.admin.base.filters import ChoiceFilter, ClientFilter, titled
from readmodels.admin.disputes import page
from readmodels.admin.disputes.changes import CloseView, RespondView
from readmodels.admin.review.parties import Parties, parties
from readmodels.models import DisputeSummary
from readmodels.projections.dispute_summary import NEVER
from readmodels.queries.search.places import Place, exact


class DisputeDetails(Parties, kw_only=True):
    """The names in a row. `now` is the same for all rows of a page."""

    now: datetime


@admin.register(DisputeSummary)
class DisputeAdmin(BrowsingAdmin):
    """All disputes, the newest first."""

    keyset: ClassVar = ("opened_at", "id")
    change_list_template = "backoffice/disputes.html"
    list_display: tuple[str, ...] = (
        "opened",
        "money",
        "state",
        "lost",
        "stage",
        "why",
        "customer",
        "due",
    )
    list_display_links = ("opened",)
    list_filter: tuple[Any, ...] = (
        ("status", ChoiceFilter),
        ("outcome", ChoiceFilter),
        ("kind", ChoiceFilter),
        ("reason", ChoiceFilter),
        ClientFilter,
        ("opened_at", titled(DaysOfTimesFilter, "date opened")),
    )
    search_fields = ("dispute_id",)  # shows the search box; `places` searches
    search_help_text = "Dispute id, payment id"

    @display(description="Opened (UTC)")
    def opened(self, row: DisputeSummary) -> str:
        return times.moment(row.opened_at, times.MINUTE)

    @display(description="Disputed")
    def money(self, row: DisputeSummary) -> str:
        return labels.amount(row.disputed_amount, row.currency)

    @display(description="Status", label=fragments.DISPUTE_COLORS)
    def state(self, row: DisputeSummary) -> tuple[str, str]:
        state = row.outcome or row.status
        return state, labels.label(state)

    @display(description="Lost")
    def lost(self, row: DisputeSummary) -> str:
        return labels.amount(row.lost_amount, row.currency) if row.lost_amount else "–"

    @display(description="Kind")
    def stage(self, row: DisputeSummary) -> str:
        return labels.label(row.kind)

    @display(description="Reason")
    def why(self, row: DisputeSummary) -> str:
        return labels.label(row.reason)

    @display(description="Customer")
    def customer(self, row: Any) -> str:
        return format_html(
            '{}<span class="beneath">{}</span>',
            fragments.foreign_text(row.details.customer),
            fragments.foreign_text(row.details.client),
        )

    @display(description="Respond by")
    def due(self, row: Any) -> str:
        if row.due_at == NEVER:
            return "–"
        left, urgency = fragments.time_left(
            row.due_at, row.details.now, soon=fragments.RESPOND_SOON
        )
        return format_html(
            '<time class="left {}" datetime="{}">{}</time><span class="beneath">{} UTC</span>',
            urgency,
            row.due_at.isoformat(),
            left,
            f"{row.due_at:%Y-%m-%d %H:%M}",
        )

    def places(self, text: str) -> Iterator[Place]:
        if payment_id := as_uuid(text):
            yield exact("payment id", payment_id=payment_id)
        yield exact("dispute id", dispute_id=text)

    def details(self, rows: Sequence[Any]) -> Mapping[Any, DisputeDetails]:
        now = timezone.now()
        names = parties(rows)
        return {
            row.pk: DisputeDetails(
                customer=names[row.pk].customer, client=names[row.pk].client, now=now
            )
            for row in rows
        }

    def get_urls(self) -> list[URLPattern]:
        changes = [
            path(
                f"{uuid('dispute')}/{view.name}/",
                self.form_view(view),
                name=f"dispute_{view.name}",
            )
            for view in (RespondView, CloseView)
        ]
        return [*changes, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"status": request.GET.get("status__exact", ""), "statuses": _OPEN}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the dispute and all that is known about its payment, from the log itself."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404(f"There is no dispute {object_id}.")
        return self.page(
            request,
            "backoffice/dispute.html",
            title=f"Dispute of {labels.amount(row.disputed_amount, row.currency)}",
            original=row,
            **page.gather(row, request),
        )


_OPEN: Final = tuple(
    (status.value, labels.label(status))
    for status in (DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW)
)


class DueAdmin(DisputeAdmin):
    """The open disputes by due time. Those without a due time come last.

    It is not registered: each request creates one.
    """

    keyset = ("due_at", "id")
    ascending = True
    page_labels: ClassVar = ("Due earlier", "Due later")
    list_display = ("money", "due", "state", "stage", "why", "customer", "opened")
    list_display_links = ("money",)
    list_filter = (
        ("status", ChoiceFilter),
        ("kind", ChoiceFilter),
        ("reason", ChoiceFilter),
        ClientFilter,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[DisputeSummary]:
        # This must be the condition of the partial indexes.
        return DisputeSummary.objects.filter(closed_at__isnull=True)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"title": "Disputes", "by_due": True}
        return super().changelist_view(request, {**context, **(extra_context or {})})


def due(request: HttpRequest) -> HttpResponse:
    return DueAdmin(DisputeSummary, admin.site).changelist_view(request)
