"""The event log: a list of events, and one event as the log stores it.

The list reads `EventIndex`. Each of its indexes ends in the list's order: no filter needs a sort.
The page of one event reads the row of the log itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import msgspec
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Concat
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from payments import actors
from payments.aggregates import LIST_AGGREGATE, PAYMENT_AGGREGATE, SECOND_REVIEW_AGGREGATE
from payments.clients.models import Client
from payments.domain.customer import CUSTOMER_EVENT_CLASSES
from payments.domain.risk.register import REGISTER
from payments.events.models import Event
from readmodels import labels
from readmodels.admin.base import contacts, fragments, times
from readmodels.admin.base.browsing import BrowsingAdmin, as_uuid
from readmodels.admin.base.date_filters import MomentsFilter
from readmodels.admin.base.dates import quoted
from readmodels.admin.base.filters import EventTypeFilter, TypedFilter, titled
from readmodels.admin.second_reviews import access
from readmodels.feed.events import EVENT_TYPES as PUBLIC_TYPES
from readmodels.models import EventIndex
from readmodels.queries.search.places import Place, exact

_DIGITS_OF_A_POSITION: Final = 18
_MOST_NAMESAKES: Final = 5
_SECOND_REVIEW_EVENTS: Final = [event.event_type for event in SECOND_REVIEW_AGGREGATE.event_classes]
_CUSTOMER_EVENTS: Final = {event.event_type for event in CUSTOMER_EVENT_CLASSES}


class ActorFilter(TypedFilter):
    """Filter by one actor, because several would need a sort.

    It accepts an actor id like staff:7, a user name, or the name of a person or a client.
    """

    title = "actor"
    parameter_name = "actor"
    column = "actor"

    def problem(self, typed: str) -> str | None:
        actors_ = _actor_ids(typed)
        if len(actors_) > 1:
            return f"Several people have this name. Enter one of {', '.join(actors_)}."
        return super().problem(typed)

    def matching(self, typed: str) -> Q:
        return Q(**{self.column: (_actor_ids(typed) or [typed])[0]})


class CorrelationFilter(TypedFilter):
    title = "correlation id"
    parameter_name = "correlation_id"

    def spelled(self, typed: str) -> str:
        return str(as_uuid(typed) or typed)  # ids are stored in lower case


class PaymentFilter(TypedFilter):
    title = "payment id"
    parameter_name = "payment"

    def problem(self, typed: str) -> str | None:
        if as_uuid(typed):
            return None
        return f"{quoted(typed)} is not a payment id. Copy the id from the payment's page."

    def matching(self, typed: str) -> Q:
        return Q(aggregate_id=as_uuid(typed))


@admin.register(EventIndex)
class EventAdmin(BrowsingAdmin):
    list_title = "Event log"
    keyset: ClassVar = ("recorded_at", "position")
    exported_as = "events"
    list_display = ("position", "recorded", "event_type", "subject", "version", "actor_name")
    list_filter = (
        EventTypeFilter,
        ActorFilter,
        PaymentFilter,
        CorrelationFilter,
        ("recorded_at", titled(MomentsFilter, "date recorded")),
    )
    search_fields = ("position",)  # shows the search box; `places` searches
    search_help_text = "Payment id or position"
    empty_title = "No events yet"
    empty_text = "Every payment, decision and policy is stored as events, which appear here."

    def get_queryset(self, request: HttpRequest) -> QuerySet[EventIndex]:
        rows = EventIndex.objects.all()
        if access.sees_events(request.user):
            return rows
        return rows.exclude(event_type__in=_SECOND_REVIEW_EVENTS)

    @display(description="Recorded (UTC)")
    def recorded(self, row: EventIndex) -> str:
        return times.moment(row.recorded_at)

    @display(description="About")
    def subject(self, row: EventIndex) -> str:
        return _subject(row)

    @display(description="By")
    def actor_name(self, row: Any) -> str:
        return fragments.foreign_text(row.details)

    def details(self, rows: Sequence[Any]) -> Mapping[Any, str]:
        """Return the names of the actors."""
        names = labels.people(row.actor for row in rows)
        return {row.pk: names.get(row.actor, row.actor) for row in rows}

    def places(self, text: str) -> Iterator[Place]:
        if payment_id := as_uuid(text):
            yield exact("payment id", aggregate_id=payment_id)
        if _is_position(text):
            yield exact("position", position=int(text))

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show one event. It is read from the log, because the index gets it later."""
        if not request.user.has_perm("events.view_event"):
            raise PermissionDenied
        found = Event.objects.filter(pk=int(object_id)) if _is_position(object_id) else None
        event = found.first() if found is not None else None
        if event is None or (
            event.event_type in _SECOND_REVIEW_EVENTS and not access.sees_events(request.user)
        ):
            raise Http404(f"There is no event {object_id}.")
        actor = event.metadata.get("actor", "")
        index_row = EventIndex(
            position=event.position, event_type=event.event_type, version=event.version
        )
        return self.page(
            request,
            "backoffice/event.html",
            title=f"{event.event_type} at {event.position}",
            original=index_row,
            event=event,
            subject=_subject(event),
            previous=_position(event, event.version - 1),
            next=_position(event, event.version + 1),
            cause=event.metadata.get("causation_id"),
            actor=actor,
            actor_name=labels.person(actor),
            correlation_id=event.metadata.get("correlation_id"),
            may_see_attempts=event.event_type in PUBLIC_TYPES
            and request.user.has_perm("webhooks.view_attempt"),
            data=_json(contacts.masked_event(event.data)),
            metadata=_json(event.metadata),
        )


def _subject(event: EventIndex | Event) -> str:
    """Return a link to the page of the event's aggregate, or its id if it has no page."""
    aggregate_id = str(event.aggregate_id)
    if event.aggregate_id == REGISTER:
        return format_html('<a class="link" href="{}">Risk policies</a>', reverse("policies"))
    if event.event_type in _CUSTOMER_EVENTS:
        return fragments.link("customers_customer", aggregate_id, aggregate_id)
    if event.event_type.startswith(f"{PAYMENT_AGGREGATE.name}."):
        return fragments.link("readmodels_paymentsummary", aggregate_id, aggregate_id)
    if event.event_type.startswith(f"{LIST_AGGREGATE.name}."):
        return format_html('<a class="link" href="{}">Lists</a>', reverse("lists"))
    return aggregate_id


def _actor_ids(name: str) -> list[str]:
    """Return the ids of the actors that `name` means.

    `name` is an actor id, a user name, a displayed name, or the name of a client.
    """
    if ":" in name:
        return [name]
    users = get_user_model().objects.only("pk").order_by("pk")
    if user := users.filter(username=name).first():
        return [actors.staff(user.pk)]
    shown = users.annotate(shown=Concat("first_name", Value(" "), "last_name"))
    people = shown.filter(shown__iexact=" ".join(name.split()))[:_MOST_NAMESAKES]
    if found := [actors.staff(user.pk) for user in people]:
        return found
    client = Client.objects.filter(name=name).only("pk").first()
    return [actors.client(client.pk)] if client is not None else []


def _position(event: Event, version: int) -> int | None:
    """Return the position of the event at `version` in the same stream, None if there is none."""
    found = Event.objects.filter(aggregate_id=event.aggregate_id, version=version)
    return found.values_list("position", flat=True).first()


def _is_position(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_OF_A_POSITION


def _json(stored: object) -> str:
    return msgspec.json.format(msgspec.json.encode(stored), indent=2).decode()
