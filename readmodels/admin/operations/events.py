"""The event log: found by its index, and one event as it is stored.

Lists come from `EventIndex`, whose every index ends in the order of the list, so any filter begins a
page where an index does. The page of one event reads the log's own row.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import msgspec
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.decorators import display

from payments import actors
from payments.clients.models import Client
from payments.domain.customer import CUSTOMER_EVENT_CLASSES
from payments.domain.risk.register import REGISTER
from payments.events.models import Event
from readmodels.admin.base import fragments
from readmodels.admin.base.browsing import BrowsingAdmin, as_uuid
from readmodels.admin.base.dates import quoted
from readmodels.admin.base.filters import EventTypeFilter, MomentsFilter, TypedFilter, titled
from readmodels.models import EventIndex

_DIGITS_OF_A_POSITION: Final = 18
_OF_CUSTOMERS: Final = {event.event_type for event in CUSTOMER_EVENT_CLASSES}


class ActorFilter(TypedFilter):
    """By what the log stores (staff:7), a user name or the name of a client.

    One actor at a time: the rows of several would have to be sorted.
    """

    title = "actor"
    parameter_name = "actor"

    def matching(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(actor=_actor(typed))


class CorrelationFilter(TypedFilter):
    title = "correlation id"
    parameter_name = "correlation_id"

    def spelled(self, typed: str) -> str:
        return str(as_uuid(typed) or typed)  # ids that we made have small letters


class PaymentFilter(TypedFilter):
    title = "payment id"
    parameter_name = "payment"

    def problem(self, typed: str) -> str | None:
        if as_uuid(typed):
            return None
        return f"{quoted(typed)} is not a payment id. Copy the id from the payment's page."

    def matching(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(aggregate_id=as_uuid(typed))


@admin.register(EventIndex)
class EventAdmin(BrowsingAdmin):
    keyset: ClassVar = ("recorded_at", "position")
    list_display = ("position", "recorded", "event_type", "payment", "version", "actor_name")
    list_filter = (
        EventTypeFilter,
        ActorFilter,
        PaymentFilter,
        CorrelationFilter,
        ("recorded_at", titled(MomentsFilter, "date recorded")),
    )
    search_fields = ("position",)  # see find
    search_help_text = "Payment id or position"

    @display(description="Recorded (UTC)")
    def recorded(self, row: EventIndex) -> str:
        return f"{row.recorded_at:%Y-%m-%d %H:%M:%S}"

    @display(description="About")
    def payment(self, row: EventIndex) -> str:
        if row.aggregate_id == REGISTER:
            return "Risk policies"
        if row.event_type in _OF_CUSTOMERS:
            return fragments.link("customers_customer", row.aggregate_id, str(row.aggregate_id))
        return fragments.link("readmodels_paymentsummary", row.aggregate_id, str(row.aggregate_id))

    @display(description="By")
    def actor_name(self, row: Any) -> str:
        return fragments.said(row.actor_name)

    def prepare(self, rows: Sequence[Any]) -> None:
        names = fragments.people(row.actor for row in rows)
        for row in rows:
            row.actor_name = names.get(row.actor, row.actor)

    def find(self, term: str) -> list[Q]:
        if payment_id := as_uuid(term):
            return [Q(aggregate_id=payment_id)]
        return [Q(pk=int(term))] if _is_position(term) else []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One event from the log, which has it before the index does."""
        if not (self.has_view_permission(request) and request.user.has_perm("events.view_event")):
            raise PermissionDenied
        found = Event.objects.filter(pk=int(object_id)) if _is_position(object_id) else None
        event = found.first() if found is not None else None
        if event is None:
            raise Http404(f"There is no event {object_id}.")
        actor = event.metadata.get("actor", "")
        context = {
            **self.admin_site.each_context(request),
            "title": f"{event.event_type} at {event.position}",
            "opts": self.opts,
            "original": EventIndex(
                position=event.position, event_type=event.event_type, version=event.version
            ),
            "event": event,
            "actor": actor,
            "actor_name": fragments.people([actor]).get(actor, actor),
            "correlation_id": event.metadata.get("correlation_id"),
            "data": _json(event.data),
            "metadata": _json(event.metadata),
        }
        return TemplateResponse(request, "backoffice/event.html", context)


def _actor(name: str) -> str:
    """The actor that `name` stands for: itself if it says so, else a member of staff, else a client."""
    if ":" in name:
        return name
    user = get_user_model().objects.filter(username=name).only("pk").first()
    if user is not None:
        return actors.staff(user.pk)
    client = Client.objects.filter(name=name).only("pk").first()
    return actors.client(client.pk) if client is not None else name


def _is_position(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_OF_A_POSITION


def _json(stored: object) -> str:
    return msgspec.json.format(msgspec.json.encode(stored), indent=2).decode()
