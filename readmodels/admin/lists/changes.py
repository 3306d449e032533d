"""The pages that change lists. Each asks for a note. Sending it also confirms the change."""

from abc import ABC, abstractmethod
from html import unescape
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from django.views import View

from payments import permissions
from payments.application import lists
from payments.application.lists import Author
from payments.customers.models import Customer
from payments.domain.list_items import LONGEST_PREFIX, Item, ListName
from payments.domain.lists import ListRefused
from payments.domain.payment.state import Payment
from payments.lists.models import Entry, RiskList
from readmodels import labels
from readmodels.admin.base import contacts, kept_text, refusals, requests
from readmodels.admin.lists import shown
from readmodels.admin.lists.forms import AddForm, CreateForm, FromPaymentForm, NoteForm
from readmodels.admin.lists.pages import find, page
from readmodels.admin.review import evidence


class ChangeView(ABC, View):
    """A page with a form, and the command that the form sends."""

    keeps: ClassVar = ("name", "item", "value", "to", "reference_prefix", "expires", "note")
    permission: ClassVar[str] = permissions.EDIT_LISTS
    button: ClassVar[str]
    variant: ClassVar[str] = "primary"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, self.permission):
            raise PermissionDenied
        self.prepare(**kwargs)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, **_: Any) -> HttpResponse:
        return self._page(request, self.form())

    def post(self, request: HttpRequest, **_: Any) -> HttpResponse:
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            return self._page(request, self.form(request.POST))
        form = self.form(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        author = Author(
            by=requests.actor(request),
            at=timezone.now(),
            note=form.cleaned_data["note"],
            correlation_id=request.META["HTTP_X_CORRELATION_ID"],
        )
        try:
            done = self.change(form, author)
        except ListRefused as error:
            form.add_error(None, refusals.describe_list(error))
            return self._page(request, form, status=409)
        messages.success(request, done)
        return HttpResponseRedirect(self.back())

    def prepare(self, **given: Any) -> None:
        """Load the objects that the URL names. Raises Http404."""

    def form(self, *data: Any) -> forms.Form:
        return NoteForm(*data)

    @abstractmethod
    def title(self) -> str:
        """Return the title, which says what the person is about to do."""

    def lines(self) -> list[str]:
        """Return what the person should know before the change."""
        return []

    @abstractmethod
    def change(self, form: forms.Form, author: Author) -> str:
        """Carry out the command and return a sentence about the outcome. Raises ListRefused."""

    def back(self) -> str:
        return reverse("lists")

    def _page(self, request: HttpRequest, form: forms.Form, *, status: int = 200) -> HttpResponse:
        answer = page(
            request,
            "backoffice/form.html",
            title=self.title(),
            form=form,
            lines=self.lines(),
            button=self.button,
            variant=self.variant,
            back=self.back(),
        )
        answer.status_code = status
        return answer


class CreateView(ChangeView):
    permission = permissions.MANAGE_LISTS
    button = "Create"

    def form(self, *data: Any) -> forms.Form:
        return CreateForm(*data)

    def title(self) -> str:
        return "Create a list"

    def lines(self) -> list[str]:
        return ["A list has an effect as soon as the active risk policy has a rule that uses it."]

    def change(self, form: forms.Form, author: Author) -> str:
        name = form.cleaned_data["name"].strip()
        lists.create(ListName(name), Item(form.cleaned_data["item"]), author)
        return f"List {name} created."


class OneListView(ChangeView):
    """A change to the list that the URL names."""

    found: RiskList

    def prepare(self, **given: Any) -> None:
        self.found = find(given["name"])

    @property
    def name(self) -> ListName:
        return ListName(self.found.name)

    @property
    def item(self) -> Item:
        return Item(self.found.item)

    def back(self) -> str:
        return reverse("list", args=[self.name])


class AddView(OneListView):
    """Add a typed value. Cards are added from a payment, because nobody knows fingerprints."""

    button = "Add"

    def prepare(self, **given: Any) -> None:
        super().prepare(**given)
        if self.item is Item.CARD:
            raise Http404("Cards are added on the page of a payment.")

    def form(self, *data: Any) -> forms.Form:
        return AddForm(self.item, *data)

    def title(self) -> str:
        return f"Add to list {self.name}"

    def lines(self) -> list[str]:
        return ["It takes effect with the next payment. Earlier payments do not change."]

    def change(self, form: forms.Form, author: Author) -> str:
        given = form.cleaned_data
        lists.add(self.name, [given["value"]], author, expires_at=given["expires"])
        return "Added. It takes effect with the next payment."


class RemoveView(OneListView):
    button = "Remove"
    variant = "danger"
    entry: Entry

    def prepare(self, **given: Any) -> None:
        super().prepare(**given)
        entry = Entry.objects.filter(list=self.found, pk=given["position"]).first()
        if entry is None:
            raise Http404("There is no such entry.")
        self.entry = entry

    def title(self) -> str:
        return f"Remove from list {self.name}"

    def lines(self) -> list[str]:
        (row,) = shown.rows([self.entry], self.item, timezone.now())
        value = unescape(strip_tags(row.value))
        return [f"From the next payment on, {value} no longer matches the list."]

    def change(self, form: forms.Form, author: Author) -> str:
        lists.remove(self.name, self.entry.value, author)
        return "Removed."


class ArchiveView(OneListView):
    permission = permissions.MANAGE_LISTS
    button = "Archive"
    variant = "danger"

    def title(self) -> str:
        return f"Archive list {self.name}"

    def lines(self) -> list[str]:
        entries = self.found.entries
        removed = f"Its {entries:,} entries are removed" if entries else "It has no entries"
        return [f"This is final. {removed}, and its name stays taken."]

    def change(self, form: forms.Form, author: Author) -> str:
        lists.archive(self.name, author)
        return "Archived."


class FromPaymentView(ChangeView):
    """Add a payment's card, customer, country or reference to a list."""

    button = "Add"
    payment: Payment
    is_revealed: bool
    items: dict[Item, str]
    offered: dict[Item, list[str]]

    def prepare(self, **given: Any) -> None:
        self.payment, _ = evidence.load(given["payment_id"])
        customer = Customer.objects.filter(pk=self.payment.customer_id).first()
        until = contacts.shown_until(self.request, customer, at=timezone.now())
        self.is_revealed = until is not None
        self.items = shown.items_of(self.payment, labels.isolated(contacts.called(customer)))
        self.offered = {item: [] for item in self.items}
        for found in RiskList.objects.filter(archived_at=None, item__in=self.items).order_by(
            "name"
        ):
            self.offered[Item(found.item)].append(found.name)

    def form(self, *data: Any) -> forms.Form:
        by_label = {self.items[item]: names for item, names in self.offered.items() if names}
        prefix_lists = self.offered.get(Item.REFERENCE_PREFIX, [])
        reference = self.payment.reference or ""
        prefix = reference[:LONGEST_PREFIX] if self.is_revealed else ""
        return FromPaymentForm(
            by_label, prefix_lists, reference, *data, initial={"reference_prefix": prefix}
        )

    def title(self) -> str:
        return f"Add to a list: payment of {self.payment.amount.formatted()}"

    def lines(self) -> list[str]:
        if not any(self.offered.values()):
            return ["There is no list that takes a part of this payment. Create one first."]
        return [
            "The list decides what is added: the card, the customer, the country or a prefix of the"
            " reference. It takes effect with the next payment.",
            *(
                ["Reveal the customer on the page of the payment to see the reference."]
                if self.offered.get(Item.REFERENCE_PREFIX) and not self.is_revealed
                else []
            ),
        ]

    def change(self, form: forms.Form, author: Author) -> str:
        name = form.cleaned_data["to"]
        item = next(item for item, names in self.offered.items() if name in names)
        lists.add(
            ListName(name),
            [
                form.cleaned_data["reference_prefix"]
                if item is Item.REFERENCE_PREFIX
                else self._value(item)
            ],
            author,
            expires_at=form.cleaned_data["expires"],
            card=self.payment.card if item is Item.CARD else None,
            payment_id=self.payment.payment_id,
        )
        return f"Added to list {name}. It takes effect with the next payment."

    def _value(self, item: Item) -> str:
        match item:
            case Item.CARD if self.payment.card is not None:
                return self.payment.card.fingerprint
            case Item.COUNTRY:
                return shown.country_of(self.payment) or ""
            case _:
                return str(self.payment.customer_id)

    def back(self) -> str:
        return reverse("admin:readmodels_paymentsummary_change", args=[self.payment.payment_id])
