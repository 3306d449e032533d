"""Customers: their names, their contact details, and who blocked them and why."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import display

from payments import permissions
from payments.api.http.paths import uuid
from payments.customers import blocking, changes, erasure
from payments.customers.models import Blocking, Customer, Note
from readmodels import labels
from readmodels.admin.account.asking import recently_verified
from readmodels.admin.base import contacts, fragments, times
from readmodels.admin.base.browsing import BrowsingAdmin
from readmodels.admin.base.filters import YesNoFilter
from readmodels.admin.base.kept_text import keep_typed_text
from readmodels.admin.people.customer_changes import BlockView, EraseView, RenameView, UnblockView
from readmodels.admin.people.reveals import RevealView
from readmodels.admin.review import related
from readmodels.queries.search import places
from readmodels.queries.search.places import Place
from readmodels.queries.search.terms import recognize

_MOST_DECISIONS: Final = 20


@admin.register(Customer)
class CustomerAdmin(BrowsingAdmin):
    keyset = ("created_at", "id")
    exported_as = "customers"
    list_display = ("called", "known_as", "reached_at", "of_client", "state", "created")
    list_select_related = ("client",)
    list_filter = (("blocked", YesNoFilter),)
    search_fields = ("name",)  # shows the search box; `places` searches
    search_help_text = "Name, e-mail, telephone, reference…"
    empty_title = "No customers yet"
    empty_text = "A customer appears here with the first payment."

    @display(description="Reference")
    def called(self, row: Customer) -> str:
        return fragments.foreign_text(contacts.masked(row).reference)

    @display(description="Name")
    def known_as(self, row: Customer) -> str:
        return fragments.foreign_text(contacts.masked(row).name) if row.name else "–"

    @display(description="E-mail")
    def reached_at(self, row: Customer) -> str:
        return fragments.foreign_text(contacts.masked(row).email) if row.email else "–"

    @display(description="Client")
    def of_client(self, row: Customer) -> str:
        return fragments.foreign_text(row.client)

    @display(description="State", label={"blocked": "danger"})
    def state(self, row: Customer) -> str | None:
        return "blocked" if row.blocked else None

    @display(description="First seen (UTC)")
    def created(self, row: Customer) -> str:
        return times.moment(row.created_at)

    def places(self, text: str) -> Iterator[Place]:
        for term in recognize(text):
            yield from places.customers(term)

    def get_urls(self) -> list[URLPattern]:
        buttons = [
            path(
                f"{uuid('customer_id')}/{view.command}/",
                self.form_view(view),
                name=f"customer_{view.command}",
            )
            for view in (RenameView, BlockView, UnblockView)
        ]
        verified = [
            path(
                f"{uuid('customer_id')}/{name}/",
                keep_typed_text(
                    self.admin_site.admin_view(recently_verified(view.as_view(admin=self)))
                ),
                name=f"customer_{name}",
            )
            for name, view in (("reveal", RevealView), ("erase", EraseView))
        ]
        return [*buttons, *verified, *super().get_urls()]

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show one customer, with its block history and its latest payments."""
        customer = self.get_object(request, object_id)
        if customer is None:
            raise Http404(f"There is no customer {object_id}.")
        return self.page(
            request,
            "backoffice/customer.html",
            title=labels.isolated(contacts.called(customer)),
            original=customer,
            customer=customer,
            contact=contacts.contact(customer, request),
            erased_by=labels.person(customer.erased_by),
            decisions=_decisions(customer),
            of_customer=related.of_customer(customer.pk),
            payments=related.latest(customer.pk),
            may_rename=customer.erased_at is None
            and permissions.holds(request.user, changes.CHANGE),
            may_erase=customer.erased_at is None and permissions.holds(request.user, erasure.ERASE),
            accesses_url=_accesses_url(customer)
            if request.user.has_perm("readmodels.view_personalaccess")
            else "",
            may_block=permissions.holds(request.user, blocking.BLOCK),
        )


def _accesses_url(customer: Customer) -> str:
    """Return the URL of the list of accesses to the customer's data."""
    address = reverse("admin:readmodels_personalaccess_changelist")
    return f"{address}?{urlencode({'customer': str(customer.pk)})}"


def _decisions(customer: Customer) -> list[dict[str, object]]:
    found = Blocking.objects.filter(customer=customer).order_by("-at", "-pk")[:_MOST_DECISIONS]
    names = labels.people(each.actor for each in found)
    texts = Note.objects.in_bulk([each.note_id for each in found if each.note_id])
    return [
        {
            "decision": str(each),
            "reason": labels.label(each.reason),
            "note": texts[each.note_id].text if each.note_id in texts else "The note was erased.",
            "at": each.at,
            "by": names.get(each.actor, each.actor),
        }
        for each in found
    ]
