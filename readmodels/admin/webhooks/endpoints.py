"""The endpoints of clients: the list with their lag, and the page of each with its buttons."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import display

from payments.api.http.paths import uuid
from readmodels import labels
from readmodels.admin.base import fragments
from readmodels.admin.base.browsing import BrowsingAdmin, as_uuid
from readmodels.admin.base.filters import ChoiceFilter, ClientFilter
from readmodels.admin.webhooks import attempts, parts
from readmodels.admin.webhooks.changes import (
    AddView,
    DisableView,
    EditView,
    PauseView,
    ResumeView,
    RotateView,
    TestView,
    may_manage,
)
from readmodels.admin.webhooks.filters import FailingFilter
from readmodels.admin.webhooks.replays import ReplayView
from readmodels.feed.events import EVENT_TYPES
from readmodels.webhooks import lag
from readmodels.webhooks.models import Endpoint, State

_NEWEST: Final = 10
# A page counts for up to fifty endpoints. Counting further would change no decision.
_COUNTED_TO: Final = 1_000


@admin.register(Endpoint)
class EndpointAdmin(BrowsingAdmin):
    keyset: ClassVar = ("created_at", "id")
    change_list_template = "backoffice/webhooks/endpoints.html"
    list_display = (
        "address",
        "state_badge",
        "events",
        "events_behind",
        "seconds_behind",
        "held",
    )
    list_select_related = ("client",)
    list_filter = (("state", ChoiceFilter), ClientFilter, FailingFilter)

    @display(description="Endpoint")
    def address(self, row: Endpoint) -> str:
        return parts.address(row)

    @display(description="State")
    def state_badge(self, row: Endpoint) -> str:
        return parts.state(row)

    @display(description="Events")
    def events(self, row: Endpoint) -> str:
        if not row.event_types:
            return "All"
        return format_html(
            '<span title="{}">{} of {} types</span>',
            ", ".join(row.event_types),
            len(row.event_types),
            len(EVENT_TYPES),
        )

    @display(description="Events behind")
    def events_behind(self, row: Any) -> str:
        return parts.count(row.details.events, more=row.details.more)

    @display(description="Seconds behind")
    def seconds_behind(self, row: Any) -> str:
        return f"{row.details.seconds:,.0f}"

    @display(description="Held payments")
    def held(self, row: Any) -> str:
        if not row.details.held:
            return "0"
        return format_html(
            '<a class="link" href="{}?endpoint={}">{}</a>',
            reverse("admin:webhooks_heldpayment_changelist"),
            row.pk,
            _held_count(row.details),
        )

    def details(self, rows: Sequence[Any]) -> Mapping[Any, lag.Lag]:
        return _lags(rows)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.defer("secret", "old_secret")

    def get_urls(self) -> list[URLPattern]:
        views = (PauseView, ResumeView, TestView, DisableView, RotateView, EditView, ReplayView)
        buttons = [
            path(
                f"{uuid('endpoint_id')}/{view.command}/",
                self.form_view(view),
                name=f"webhooks_{view.command}",
            )
            for view in views
        ]
        add = path("add/", self.form_view(AddView), name="webhooks_add")
        return [add, *buttons, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_manage": may_manage(request)}
        return super().changelist_view(request, context)

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show an endpoint without its secrets. Takes a fixed number of queries, each bounded."""
        endpoint_id = as_uuid(object_id)
        rows = Endpoint.objects.select_related("client").defer("secret", "old_secret")
        endpoint = rows.filter(pk=endpoint_id).first() if endpoint_id else None
        if endpoint is None:
            raise Http404(f"There is no endpoint {object_id}.")
        now = timezone.now()
        until = endpoint.old_secret_until
        behind = _lags([endpoint])[endpoint.pk]
        return self.page(
            request,
            "backoffice/webhooks/endpoint.html",
            title=endpoint.url,
            original=endpoint,
            endpoint=endpoint,
            headline=_headline(endpoint),
            badge=parts.state_badge(endpoint),
            old_secret_until=until if until is not None and until > now else None,
            behind=parts.count(behind.events, more=behind.more),
            oldest=fragments.duration(behind.seconds) if behind.events else "–",
            held_count=_held_count(behind),
            held=_held(endpoint),
            attempts=_attempts(endpoint),
            changes=_changes(endpoint.pk),
            may_manage=may_manage(request),
        )


def _headline(endpoint: Endpoint) -> str:
    """Return a sentence with the state and the next step."""
    match endpoint.state:
        case State.PAUSED:
            return "Paused. Events are kept and sent after you resume."
        case State.DISABLED:
            return "Disabled. When the receiver is repaired, resume: the kept events are sent."
    if not endpoint.failures:
        return "Active. Events are sent within a second."
    return (
        f"Failing. The next attempt is at {labels.minute(endpoint.next_attempt_at)}. When the receiver"
        " is repaired, try now."
    )


def _lags(endpoints: Sequence[Endpoint]) -> dict[UUID, lag.Lag]:
    """Return the lag of each endpoint, including endpoints deleted since they were read."""
    found = lag.measure(endpoints, limit=_COUNTED_TO)
    return {each.pk: found.get(each.pk, lag.NONE) for each in endpoints}


def _held_count(found: lag.Lag) -> str:
    return parts.count(found.held, more=found.more_held)


def _held(endpoint: Endpoint) -> list[dict[str, Any]]:
    rows = endpoint.held.order_by("-since", "-id")[:_NEWEST]
    return [{"row": row, "error": parts.visible(row.error)} for row in rows]


def _attempts(endpoint: Endpoint) -> list[dict[str, Any]]:
    rows = endpoint.attempts.defer("response").order_by("-at", "-id")[:_NEWEST]
    return [
        {
            "row": row,
            "answer": attempts.answer(row),
            "badge": parts.outcome_badge(row.outcome),
        }
        for row in rows
    ]


def _changes(endpoint_id: UUID) -> list[LogEntry]:
    """Return the newest changes by staff. There are few in total, so this needs no index."""
    return list(
        LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(Endpoint), object_id=str(endpoint_id)
        )
        .select_related("user")
        .order_by("-action_time", "-id")[:_NEWEST]
    )
