"""Approving and rejecting: a page with the evidence and a reason, and one command.

A view of its own, because Django's change form would hold a transaction open around the command.
"""

from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views import View
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextareaWidget

from payments import actors, permissions, review
from payments.api.request_ids import command_request
from payments.domain.commands import ApprovePayment, RejectPayment
from payments.domain.events import ApprovalReason, RejectionReason
from payments.domain.payment import Status
from payments.domain.refusals import PaymentError
from payments.domain.text import TextError, checked_text
from payments.events.store import StaleVersion
from payments.idempotency import KeyReused
from readmodels.admin import evidence, words
from readmodels.models import PaymentSummary

_NOTE_LENGTH = 2_000


class DecisionForm(forms.Form):
    """`key` and `version` come with the page: a double click is one decision, on what was seen."""

    reason = forms.ChoiceField(widget=UnfoldAdminRadioSelectWidget)
    note = forms.CharField(
        required=False,
        max_length=_NOTE_LENGTH,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text="Kept apart from the event log, so that it can be erased. No card numbers.",
    )
    key = forms.UUIDField(widget=forms.HiddenInput)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)

    def __init__(self, reasons: type[StrEnum], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["reason"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - as declared above
        field.choices = [(reason.value, words.plain(reason)) for reason in reasons]

    def clean_note(self) -> str | None:
        # Browsers send line ends as two characters.
        note: str = self.cleaned_data["note"].replace("\r\n", "\n").strip()
        if not note:
            return None
        try:
            return checked_text(note, max_length=_NOTE_LENGTH, multiline=True)
        except TextError as error:
            raise forms.ValidationError(str(error)) from error


class DecisionView(View):
    """`command` is "approve" or "reject"."""

    admin: Any = None
    command: str = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, permissions.REVIEW):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        payment, _ = evidence.load(payment_id)
        if payment.status is not Status.PENDING_REVIEW:
            messages.warning(request, f"Nothing to decide: this payment is {payment.status}.")
            return _to_payment(payment_id)
        initial = {"key": uuid4(), "version": payment.version}
        return self._page(request, payment_id, DecisionForm(self._reasons, initial=initial))

    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        form = DecisionForm(self._reasons, request.POST)
        if not form.is_valid():
            return self._page(request, payment_id, form)
        try:
            self._decide(request, payment_id, form.cleaned_data)
        except PaymentError as error:
            messages.error(request, _with_names(str(error), error.details))
        except StaleVersion:
            messages.error(
                request, "Somebody changed this payment since you opened it. Look again."
            )
        except KeyReused:
            messages.error(request, "You have decided already, with another reason or note.")
        else:
            done = "Approved" if self.command == "approve" else "Rejected"
            messages.success(request, f"{done}. The lists follow in a moment.")
        return _to_payment(payment_id)

    @property
    def _reasons(self) -> type[ApprovalReason | RejectionReason]:
        return ApprovalReason if self.command == "approve" else RejectionReason

    def _decide(self, request: HttpRequest, payment_id: UUID, given: dict[str, Any]) -> None:
        actor = actors.staff(int(request.user.pk or 0))
        facts: dict[str, Any] = {
            "payment_id": payment_id,
            "client_id": None,
            "reviewer": actor,
            "reason": self._reasons(given["reason"]),
            "at": timezone.now(),
        }
        review.carry_out(
            ApprovePayment(**facts) if self.command == "approve" else RejectPayment(**facts),
            command_request(request, actor=actor, key=str(given["key"])),
            note=given["note"],
            expected_version=given["version"],
        )

    def _page(self, request: HttpRequest, payment_id: UUID, form: DecisionForm) -> HttpResponse:
        payment, _ = evidence.load(payment_id)
        model_admin: ModelAdmin = self.admin
        context = {
            **model_admin.admin_site.each_context(request),
            **evidence.gather(payment),
            "title": f"{self.command.capitalize()} {payment.amount.formatted()}?",
            "opts": model_admin.opts,
            "original": PaymentSummary(pk=payment.payment_id),
            "command": self.command,
            "form": form,
        }
        return TemplateResponse(request, "admin/decision.html", context)


def _to_payment(payment_id: UUID) -> HttpResponseRedirect:
    return HttpResponseRedirect(
        reverse("admin:readmodels_paymentsummary_change", args=[payment_id])
    )


def _with_names(message: str, details: dict[str, str]) -> str:
    """The message with the name of who decided, whom the log knows by an id only."""
    actor = details.get("decided_by", "")
    return message.replace(actor, words.people([actor]).get(actor, actor)) if actor else message
