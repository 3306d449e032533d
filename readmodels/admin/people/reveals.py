"""The page that asks for a purpose, then reveals a customer's personal data to the session."""

from typing import Any, ClassVar
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views import View
from unfold.widgets import UnfoldAdminSelectWidget

from payments import permissions
from payments.application import reveals
from payments.customers.models import Customer
from payments.domain.reveal import Purpose, PurposeNeedsNote, RevealRefused
from readmodels import labels
from readmodels.admin.account import asking, pages
from readmodels.admin.base import contacts, kept_text, requests
from readmodels.admin.base.text_field import StoredTextField


class RevealForm(forms.Form):
    """The purpose of the reveal. With the same `key`, a double click records one reveal."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    purpose = forms.ChoiceField(
        choices=[("", "Choose a purpose"), *((each.value, labels.label(each)) for each in Purpose)],
        widget=UnfoldAdminSelectWidget,
    )
    note = StoredTextField(
        required=False,
        max_length=reveals.LONGEST_NOTE,
        help_text='Required for the purpose "Other". Auditors see it. No personal data.',
    )


class RevealView(View):
    """Ask for the purpose, record the reveal, and return to the page that asked."""

    admin: Any = None
    keeps: ClassVar = ("purpose", "note")
    customer: Customer

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, permissions.REVEAL):
            raise PermissionDenied
        customer = Customer.objects.filter(pk=kwargs["customer_id"], erased_at=None).first()
        if customer is None:
            raise Http404("The customer does not exist or was erased.")
        self.customer = customer
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, customer_id: UUID) -> HttpResponse:
        return self._page(request, RevealForm(initial={"key": uuid4()}))

    def post(self, request: HttpRequest, customer_id: UUID) -> HttpResponse:
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            typed = {name: request.POST.get(name, "") for name in self.keeps}
            return self._page(request, RevealForm(initial={"key": uuid4()} | typed))
        form = RevealForm(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        try:
            event = reveals.reveal(
                customer_id,
                purpose=Purpose(form.cleaned_data["purpose"]),
                note=form.cleaned_data["note"] or None,
                by=requests.actor(request),
                at=timezone.now(),
                key=form.cleaned_data["key"],
                correlation_id=request.META["HTTP_X_CORRELATION_ID"],
            )
        except RevealRefused as refusal:
            form.add_error("note" if isinstance(refusal, PurposeNeedsNote) else None, str(refusal))
            return self._page(request, form, status=409)
        contacts.remember(request, event)
        return HttpResponseRedirect(self._back(request))

    def _back(self, request: HttpRequest) -> str:
        """Return the URL of the page that asked, or else of the customer's page."""
        if pages.NEXT in request.GET:
            return asking.target(request)
        return reverse("admin:customers_customer_change", args=[self.customer.pk])

    def _page(self, request: HttpRequest, form: RevealForm, *, status: int = 200) -> HttpResponse:
        page: HttpResponse = self.admin.page(
            request,
            "backoffice/reveal.html",
            title=f"Reveal data of {labels.isolated(contacts.called(self.customer))}",
            original=self.customer,
            status_code=status,
            form=form,
            minutes=int(contacts.SHOWN_FOR.total_seconds() // 60),
            back=self._back(request),
        )
        return page
