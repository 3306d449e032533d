"""The buttons on a customer's page: edit the details, block, unblock and erase.

They are separate views, because Django's change form would log the old and the new name.
"""

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views import View
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from payments import permissions
from payments.customers import blocking, changes, contacts, erasure
from payments.customers.contacts import ContactError
from payments.customers.models import Customer
from payments.customers.registry import BlockUnchanged, CustomerError
from payments.domain.customer import BlockReason, UnblockReason
from readmodels import labels
from readmodels.admin.base import contacts as shown, kept_text, requests
from readmodels.admin.base.text_field import StoredTextField


class RenameForm(forms.Form):
    """The contact details. Hidden fields hold the values shown, so that changes can be detected."""

    name = forms.CharField(
        required=False,
        show_hidden_initial=True,
        widget=UnfoldAdminTextInputWidget(attrs={"dir": "auto"}),
    )
    email = forms.CharField(
        required=False,
        show_hidden_initial=True,
        label="E-mail",
        widget=UnfoldAdminTextInputWidget,
    )
    phone = forms.CharField(
        required=False,
        show_hidden_initial=True,
        label="Telephone",
        widget=UnfoldAdminTextInputWidget,
        help_text="International format, like +49 151 23456789.",
    )

    def clean(self) -> dict[str, Any]:
        for field, value in list(self.cleaned_data.items()):
            try:
                contacts.checked(field, value)
            except ContactError as error:
                self.add_error(field, str(error))
        return self.cleaned_data


def _reasons(reasons: type[StrEnum]) -> forms.ChoiceField:
    choices = [("", "Choose a reason"), *((each.value, labels.label(each)) for each in reasons)]
    return forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget)


class NoteForm(forms.Form):
    note = StoredTextField(
        max_length=blocking.LONGEST_NOTE,
        help_text="Visible to staff who see this customer. No card numbers. Notes can be erased.",
    )


class BlockForm(NoteForm):
    field_order = ("reason", "note")
    reason = _reasons(BlockReason)


class UnblockForm(NoteForm):
    field_order = ("reason", "note")
    reason = _reasons(UnblockReason)


class EraseForm(forms.Form):
    reason = StoredTextField(
        max_length=erasure.LONGEST_REASON,
        help_text="Such as a request number. It is permanent and must not name the customer.",
    )


class ChangeView(ABC, View):
    """A page with a form, and the command that the form sends for `customer`."""

    admin: Any = None
    keeps: ClassVar = (
        *("name", "email", "phone", "reason", "note"),
        *("initial-name", "initial-email", "initial-phone"),
    )
    command: ClassVar[str]
    label: ClassVar[str]
    permission: ClassVar[str]
    form: ClassVar[type[forms.Form]]
    done: ClassVar[str]
    customer: Customer

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, self.permission):
            raise PermissionDenied
        customer = Customer.objects.filter(pk=kwargs["customer_id"]).first()
        if customer is None:
            raise Http404
        self.customer = customer
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, customer_id: UUID) -> HttpResponse:
        initial = {field: getattr(self.customer, field, "") for field in self.form.base_fields}
        return self._page(request, self.form(initial=initial))

    def post(self, request: HttpRequest, customer_id: UUID) -> HttpResponse:
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            return self._page(request, self.form(request.POST))
        form = self.form(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        if not form.has_changed():
            messages.info(request, "Nothing was changed.")
            return self._redirect(customer_id)
        try:
            self.change(customer_id, form, requests.actor(request))
        except CustomerError as error:
            # Show the form again with the typed text.
            form.add_error(None, _sentence(error))
            return self._page(request, form, status=409)
        # Do not name the customer: messages may be stored in the session.
        messages.success(request, self.done)
        return self._redirect(customer_id)

    def _redirect(self, customer_id: UUID) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:customers_customer_change", args=[customer_id]))

    @abstractmethod
    def change(self, customer_id: UUID, form: forms.Form, by: str) -> None:
        """Carry out the command. `by` is an actor id. Raises CustomerError."""

    def _page(self, request: HttpRequest, form: forms.Form, *, status: int = 200) -> HttpResponse:
        page: HttpResponse = self.admin.page(
            request,
            "backoffice/customer_change.html",
            title=f"{self.label} {labels.isolated(shown.called(self.customer))}",
            original=self.customer,
            status_code=status,
            customer=self.customer,
            command=self.command,
            form=form,
        )
        return page


class RenameView(ChangeView):
    command = "rename"
    label = "Edit details of"
    permission = changes.CHANGE
    form = RenameForm
    done = "Details saved."

    def get(self, request: HttpRequest, customer_id: UUID) -> HttpResponse:
        """Show the form only while the customer is revealed, because it has the current values."""
        if shown.shown_until(request, self.customer, at=timezone.now()) is None:
            return HttpResponseRedirect(shown.reveal_url(self.customer, request))
        return super().get(request, customer_id)

    def _page(self, request: HttpRequest, form: forms.Form, *, status: int = 200) -> HttpResponse:
        """Show the form again. If the reveal has ended, show only the values that were typed."""
        if form.is_bound and shown.shown_until(request, self.customer, at=timezone.now()) is None:
            form = _typed(form)
            messages.info(request, "The reveal has ended. Empty fields stay unchanged.")
        return super()._page(request, form, status=status)

    def change(self, customer_id: UUID, form: forms.Form, by: str) -> None:
        # A colleague may have changed the other fields since the page was opened.
        changed = {field: form.cleaned_data[field] for field in form.changed_data}
        changes.rename(customer_id, changed, by=by)


def _typed(form: forms.Form) -> RenameForm:
    """Return a form with the changed fields and the refusals, without the revealed values."""
    typed = RenameForm({field: form.data.get(field, "") for field in form.changed_data})
    for refusal in form.non_field_errors():
        typed.add_error(None, refusal)
    return typed


class BlockingView(ChangeView):
    """Block or unblock the customer with one of `reasons` and a note."""

    permission = blocking.BLOCK
    reasons: ClassVar[type[BlockReason | UnblockReason]]

    def change(self, customer_id: UUID, form: forms.Form, by: str) -> None:
        blocking.change(
            customer_id,
            reason=self.reasons(form.cleaned_data["reason"]),
            note=form.cleaned_data["note"],
            by=by,
            at=timezone.now(),
            correlation_id=self.request.META["HTTP_X_CORRELATION_ID"],
        )


class BlockView(BlockingView):
    command = "block"
    label = "Block"
    form = BlockForm
    reasons = BlockReason
    done = "Customer blocked. The next payment is scored accordingly."


class UnblockView(BlockingView):
    command = "unblock"
    label = "Unblock"
    form = UnblockForm
    reasons = UnblockReason
    done = "Customer unblocked."


class EraseView(ChangeView):
    command = "erase"
    label = "Erase data of"
    permission = erasure.ERASE
    form = EraseForm
    done = "The customer's data were erased."

    def change(self, customer_id: UUID, form: forms.Form, by: str) -> None:
        if self.customer.erased_at is not None:
            raise CustomerError("The customer was erased already.")
        steps = erasure.erase(
            self.customer,
            reference=self.customer.reference or "",
            reason=form.cleaned_data["reason"],
            by=by,
            at=timezone.now(),
        )
        try:
            for _ in steps:
                pass  # advancing the iterator erases
        except erasure.ReasonNamesCustomer as error:
            raise CustomerError(f"Change the reason. {error}") from error


def _sentence(error: CustomerError) -> str:
    """Return the refusal with a name instead of an actor id."""
    match error:
        case BlockUnchanged(state=state, actor=actor, at=at):
            return f"The customer was already {state} by {labels.person(actor)} at {at:%Y-%m-%d %H:%M} UTC."
    return str(error)
