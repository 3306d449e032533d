"""The record of who saw which customer's personal data, when and for which purpose."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import display

from payments.customers.models import Customer, Note
from readmodels import labels
from readmodels.admin.base import contacts, fragments, times
from readmodels.admin.base.browsing import BrowsingAdmin, as_uuid
from readmodels.admin.base.date_filters import MomentsFilter
from readmodels.admin.base.dates import quoted
from readmodels.admin.base.filters import ChoiceFilter, TypedFilter, titled
from readmodels.admin.operations.events import ActorFilter
from readmodels.models import PersonalAccess
from readmodels.queries import accesses


class PersonFilter(ActorFilter):
    title = "person"
    parameter_name = "by"
    column = "by"


class CustomerFilter(TypedFilter):
    title = "customer id"
    parameter_name = "customer"

    def problem(self, typed: str) -> str | None:
        if as_uuid(typed):
            return None
        return f"{quoted(typed)} is not a customer id. Copy the id from the customer's page."

    def matching(self, typed: str) -> Q:
        return Q(customer_id=as_uuid(typed))


@admin.register(PersonalAccess)
class PersonalAccessAdmin(BrowsingAdmin):
    list_title = "Access to personal data"
    keyset: ClassVar = ("at", "id")
    has_pages = False
    list_display = ("when", "person", "customer", "shown_fields", "why", "note", "event")
    list_filter = (
        PersonFilter,
        CustomerFilter,
        ("purpose", ChoiceFilter),
        ("at", titled(MomentsFilter, "time")),
    )
    empty_title = "No access yet"
    empty_text = "Each time staff reveal the data of a customer, it appears here."

    @display(description="When (UTC)")
    def when(self, row: PersonalAccess) -> str:
        return times.moment(row.at)

    @display(description="Person")
    def person(self, row: Any) -> str:
        return fragments.foreign_text(row.details["by"])

    @display(description="Customer")
    def customer(self, row: Any) -> str:
        shown = labels.isolated(row.details["customer"])
        return fragments.link("customers_customer", row.customer_id, shown)

    @display(description="Fields")
    def shown_fields(self, row: PersonalAccess) -> str:
        return ", ".join(row.fields)

    @display(description="Purpose")
    def why(self, row: PersonalAccess) -> str:
        return labels.label(row.purpose)

    @display(description="Note")
    def note(self, row: Any) -> str:
        return fragments.foreign_text(row.details["note"]) if row.details["note"] else "–"

    @display(description="Event")
    def event(self, row: PersonalAccess) -> str:
        return fragments.link("readmodels_eventindex", row.position, str(row.position))

    def details(self, rows: Sequence[Any]) -> Mapping[Any, dict[str, str]]:
        names = labels.people(row.by for row in rows)
        customers = Customer.objects.in_bulk({row.customer_id for row in rows})
        notes = Note.objects.in_bulk([row.note_id for row in rows if row.note_id])
        return {
            row.pk: {
                "by": names.get(row.by, row.by),
                "customer": contacts.called(customers.get(row.customer_id)),
                "note": _text(row, notes),
            }
            for row in rows
        }

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        made = accesses.excessive(timezone.now())
        names = labels.people(made)
        for by, count in made.items():
            messages.warning(
                request,
                f"{names.get(by, by)} revealed data {count} times in the last hour. The limit is"
                f" {settings.REVEALS_PER_HOUR}.",
            )
        return super().changelist_view(request, extra_context)


def badge(request: HttpRequest) -> str:
    """Return the number of people above the limit, to show in the menu, or "" if there are none."""
    if not request.user.has_perm("readmodels.view_personalaccess"):
        return ""
    return str(len(accesses.excessive(timezone.now())) or "")


def _text(row: PersonalAccess, notes: Mapping[Any, Note]) -> str:
    if row.note_id is None:
        return ""
    return notes[row.note_id].text if row.note_id in notes else "The note was erased."
