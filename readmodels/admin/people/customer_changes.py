"""Renaming, blocking and unblocking a customer: what the buttons of its page do.

Views of their own, because Django's change form would write the old and the new name into its log.
"""

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views import View
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from payments import actors, permissions
from payments.customers import blocking, changes, contacts
from payments.customers.contacts import ContactError
from payments.customers.models import Customer
from payments.customers.registry import BlockUnchanged, CustomerError
from payments.domain.customer import BlockReason, UnblockReason
from payments.domain.text import TextError, checked_text
from readmodels.admin.base import fragments, kept_text
from readmodels.admin.base.refusals import name


class RenameForm(forms.Form):
    """Carries the values that it showed, so that only what was changed is stored."""

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
    choices = [("", "Choose a reason"), *((each.value, fragments.plain(each)) for each in reasons)]
    return forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget)


class NoteForm(forms.Form):
    note = forms.CharField(
        max_length=blocking.LONGEST_NOTE,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "dir": "auto"}),
        help_text="Visible to staff who see this customer. No card numbers. Notes can be erased.",
    )

    def clean_note(self) -> str:
        try:
            return checked_text(self.cleaned_data["note"], max_length=blocking.LONGEST_NOTE)
        except TextError as error:
            raise forms.ValidationError(str(error)) from error


class BlockForm(NoteForm):
    field_order = ("reason", "note")
    reason = _reasons(BlockReason)


class UnblockForm(NoteForm):
    field_order = ("reason", "note")
    reason = _reasons(UnblockReason)


class ChangeView(ABC, View):
    """A page with a form, and the change that it asks for; `customer` is whom it is about."""

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
        shown = {field: getattr(self.customer, field, "") for field in self.form.base_fields}
        return self._page(request, self.form(initial=shown))

    def post(self, request: HttpRequest, customer_id: UUID) -> HttpResponse:
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            return self._page(request, self.form(request.POST))
        form = self.form(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        if not form.has_changed():
            messages.info(request, "Nothing was changed.")
            return self._to_customer(customer_id)
        try:
            self.change(customer_id, form, actors.staff(int(request.user.pk or 0)))
        except CustomerError as error:
            # Keep what was typed, also if another person was faster.
            form.add_error(None, _sentence(error))
            return self._page(request, form, status=409)
        # Without the name: messages may end up in a session.
        messages.success(request, self.done)
        return self._to_customer(customer_id)

    def _to_customer(self, customer_id: UUID) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:customers_customer_change", args=[customer_id]))

    @abstractmethod
    def change(self, customer_id: UUID, form: forms.Form, by: str) -> None:
        """Carry the command out. `by` is an actor id. Raises CustomerError."""

    def _page(self, request: HttpRequest, form: forms.Form, *, status: int = 200) -> HttpResponse:
        context = {
            **self.admin.admin_site.each_context(request),
            "title": f"{self.label} {fragments.isolated(str(self.customer))}",
            "opts": self.admin.opts,
            "original": self.customer,
            "customer": self.customer,
            "command": self.command,
            "form": form,
        }
        return TemplateResponse(request, "backoffice/customer_change.html", context, status=status)


class RenameView(ChangeView):
    command = "rename"
    label = "Edit details of"
    permission = changes.CHANGE
    form = RenameForm
    done = "Details saved."

    def change(self, customer_id: UUID, form: forms.Form, by: str) -> None:
        # A colleague may have changed the other fields since the page was opened.
        given = {field: form.cleaned_data[field] for field in form.changed_data}
        changes.rename(customer_id, given, by=by)


class BlockingView(ChangeView):
    """Asks for one of `reasons` and for a note."""

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


def _sentence(error: CustomerError) -> str:
    """Return the refusal with a name instead of an actor id."""
    match error:
        case BlockUnchanged(state=state, actor=actor, at=at):
            return f"The customer was already {state} by {name(actor)} at {at:%Y-%m-%d %H:%M} UTC."
    return str(error)
