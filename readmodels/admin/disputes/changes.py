"""The buttons on a dispute's page: record a response, and close the dispute.

Each one opens a page that states the consequences. Its form sends one command.
"""

import re
from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views import View
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from payments import permissions
from payments.api.http.base import command_context
from payments.application import disputes
from payments.application.idempotency import KeyReused
from payments.customers import notes
from payments.domain.money import Money, MoneyError
from payments.domain.payment.codes import DisputeOutcome
from payments.domain.payment.commands import AnyDisputeCommand, CloseDispute, RespondToDispute
from payments.domain.payment.deciding import decide
from payments.domain.payment.disputes import Dispute, find
from payments.domain.payment.disputing import MOST_EVIDENCE, TAKES_NOTHING
from payments.domain.payment.refusals import (
    DisputeLossInvalid,
    DisputeTooLarge,
    PaymentError,
    TooManyResponses,
)
from payments.domain.payment.state import Payment
from payments.events.store import StaleVersion
from readmodels import labels
from readmodels.admin.base import amounts, kept_text, refusals, requests
from readmodels.admin.base.text_field import StoredTextField
from readmodels.admin.review import disputed, evidence
from readmodels.models import DisputeSummary

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_CHANGED: Final = "This dispute changed while you had it open. Check it and send the form again."


class ChangeForm(forms.Form):
    """A form for one command, based on the version that was shown.

    The page sets `key` and `version`. With the same key, a double click is one command.
    """

    key = forms.UUIDField(widget=forms.HiddenInput)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)

    def __init__(self, dispute: Dispute, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = dispute.disputed.currency


class RespondForm(ChangeForm):
    note = StoredTextField(
        required=False,
        empty_value=None,
        max_length=notes.LONGEST,
        rows=4,
        help_text="What you sent to the bank. No card numbers. Notes can be erased on request.",
    )
    evidence = forms.CharField(
        required=False,
        label="SHA-256 digests of the documents",
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text="One per line, 64 hexadecimal digits. They prove later what was sent.",
    )

    def clean_evidence(self) -> tuple[str, ...]:
        lines = tuple(dict.fromkeys(self.cleaned_data["evidence"].lower().split()))
        for line in lines:
            if not _DIGEST.fullmatch(line):
                raise forms.ValidationError(
                    f"{line[:70]!r} is not a SHA-256 digest. Enter 64 hexadecimal digits per line."
                )
        if len(lines) > MOST_EVIDENCE:
            raise forms.ValidationError(f"Enter at most {MOST_EVIDENCE} digests.")
        return lines


class CloseForm(ChangeForm):
    outcome = forms.ChoiceField(
        choices=[(each.value, labels.label(each)) for each in DisputeOutcome],
        widget=UnfoldAdminRadioSelectWidget,
    )
    lost_amount = forms.CharField(
        required=False,
        max_length=30,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )

    def __init__(self, dispute: Dispute, *args: Any, **kwargs: Any) -> None:
        super().__init__(dispute, *args, **kwargs)
        lost = self.fields["lost_amount"]
        lost.label = f"Lost amount in {self.currency}"
        lost.help_text = (
            f"At most {dispute.disputed.formatted()} is disputed. Enter 0 if the provider bears the loss."
            " Leave it empty if the dispute was won or withdrawn."
        )

    def clean(self) -> dict[str, Any]:
        text = self.cleaned_data.get("lost_amount", "").strip()
        outcome = self.cleaned_data.get("outcome")
        if text in {"", "0"}:
            if not text and outcome is not None and outcome not in TAKES_NOTHING:
                self.add_error(
                    "lost_amount",
                    f"Enter the lost amount, such as {amounts.accepted(self.currency)}.",
                )
            self.cleaned_data["lost_amount"] = Money(0, self.currency)
        else:
            try:
                self.cleaned_data["lost_amount"] = amounts.parse(text, self.currency)
            except MoneyError as error:
                self.add_error("lost_amount", str(error))
        return self.cleaned_data


class ChangeView(ABC, View):
    """Show the form and carry out its command. After a refusal, the form keeps the typed text."""

    admin: Any = None
    keeps: ClassVar[tuple[str, ...]]
    name: ClassVar[str]
    label: ClassVar[str]
    done: ClassVar[str]
    variant: ClassVar[str] = "primary"
    form: ClassVar[type[ChangeForm]]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, permissions.RESPOND_TO_DISPUTE):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, dispute: UUID) -> HttpResponse:
        row, payment, state = _read(dispute)
        if refusal := self.refusal(payment, state):
            messages.warning(request, refusals.describe(refusal))
            return _to_page(row)
        return self._page(request, row, payment, self.form(state, initial=self._fresh(payment)))

    def post(self, request: HttpRequest, dispute: UUID) -> HttpResponse:
        row, payment, state = _read(dispute)
        if kept_text.is_restored(request):
            return self._again(request, row, payment, state, kept_text.NOT_SENT)
        form = self.form(state, request.POST)
        if not form.is_valid():
            if form.errors.keys() & {"key", "version"}:
                return self._again(request, row, payment, state, _CHANGED)
            return self._page(request, row, payment, form)
        command = self.command(payment, state, form, at=timezone.now())
        key: UUID = form.cleaned_data["key"]
        try:
            disputes.handle(
                command,
                command_context(request, actor=requests.actor(request), key=str(key)),
                note=form.cleaned_data.get("note"),
                expected_version=form.cleaned_data["version"],
            )
        except (DisputeTooLarge, DisputeLossInvalid) as error:
            form.add_error("lost_amount", refusals.describe(error))
            return self._page(request, row, payment, form)
        except PaymentError as error:
            return self._again(request, row, payment, state, refusals.describe(error))
        except (StaleVersion, KeyReused):
            return self._again(request, *_read(dispute), _CHANGED)
        messages.success(request, f"{self.done} Lists update within a few seconds.")
        return _to_page(row)

    @abstractmethod
    def command(
        self, payment: Payment, dispute: Dispute, form: ChangeForm, *, at: datetime
    ) -> AnyDisputeCommand:
        """Return the command for the valid form."""

    @abstractmethod
    def consequences(self, dispute: Dispute) -> tuple[str, ...]:
        """Return what the person should know before sending the form."""

    def refusal(self, payment: Payment, dispute: Dispute) -> PaymentError | None:
        """Return why the dispute cannot be changed, None if it can. A notice may have closed it."""
        facts = _facts(payment, dispute, timezone.now())
        try:
            decide(payment, RespondToDispute(**facts, responder=""))
        except PaymentError as error:
            return error
        return None

    def _fresh(self, payment: Payment) -> dict[str, Any]:
        return {"key": uuid4(), "version": payment.version}

    def _again(
        self,
        request: HttpRequest,
        row: DisputeSummary,
        payment: Payment,
        dispute: Dispute,
        refusal: str,
    ) -> HttpResponse:
        """Show the current dispute, the refusal, and the form with the typed text."""
        typed = {name: request.POST.get(name, "") for name in self.keeps}
        form = self.form(dispute, initial=typed | self._fresh(payment))
        return self._page(request, row, payment, form, refusal=refusal, status=409)

    def _page(
        self,
        request: HttpRequest,
        row: DisputeSummary,
        payment: Payment,
        form: ChangeForm,
        *,
        refusal: str = "",
        status: int = 200,
    ) -> HttpResponse:
        dispute = find(payment.disputes, row.dispute_id)
        assert dispute is not None, "_read found it"  # noqa: S101
        answer: HttpResponse = self.admin.page(
            request,
            "backoffice/dispute_change.html",
            title=f"{self.label} of {dispute.disputed.formatted()}",
            original=row,
            status_code=status,
            form=form,
            refusal=refusal,
            consequences=self.consequences(dispute),
            label=self.label,
            variant=self.variant,
            shown=disputed.show(payment, dispute, names=labels.people([dispute.responded_by])),
            may_send=dispute.is_open,
            dispute_pk=row.pk,
            **evidence.gather(payment, request, before=payment.initiated_at),
        )
        return answer


class RespondView(ChangeView):
    keeps = ("note", "evidence")
    name = "respond"
    label = "Contest dispute"
    done = "Response recorded."
    form = RespondForm

    def consequences(self, dispute: Dispute) -> tuple[str, ...]:
        due = f" by {labels.minute(dispute.respond_by)}" if dispute.respond_by else ""
        texts = (
            f"Send the evidence to your provider{due}. This form only records that you did.",
            "The dispute stays open until its outcome is recorded.",
        )
        if dispute.responded_at is None:
            return texts
        at = labels.minute(dispute.responded_at)
        return (*texts, f"It was contested at {at}. That response is kept, and this one is added.")

    def command(
        self, payment: Payment, dispute: Dispute, form: ChangeForm, *, at: datetime
    ) -> RespondToDispute:
        return RespondToDispute(
            **_facts(payment, dispute, at),
            responder="",  # set from the context
            evidence=form.cleaned_data["evidence"],
        )


class CloseView(ChangeView):
    keeps = ("outcome", "lost_amount")
    name = "close"
    label = "Close dispute"
    done = "Dispute closed."
    variant = "danger"
    form = CloseForm

    def refusal(self, payment: Payment, dispute: Dispute) -> PaymentError | None:
        refusal = super().refusal(payment, dispute)
        return None if isinstance(refusal, TooManyResponses) else refusal

    def consequences(self, dispute: Dispute) -> tuple[str, ...]:
        return (
            "Your provider's notice closes a dispute. Use this form if none arrives, or to accept the loss.",
            "A dispute that was lost or accepted stays so. What it took cannot be refunded.",
        )

    def command(
        self, payment: Payment, dispute: Dispute, form: ChangeForm, *, at: datetime
    ) -> CloseDispute:
        return CloseDispute(
            **_facts(payment, dispute, at),
            outcome=DisputeOutcome(form.cleaned_data["outcome"]),
            lost_amount=form.cleaned_data["lost_amount"],
            closed_at=at,
        )


def _facts(payment: Payment, dispute: Dispute, at: datetime) -> dict[str, Any]:
    return {
        "payment_id": payment.payment_id,
        "client_id": None,
        "at": at,
        "dispute_id": dispute.dispute_id,
    }


def _read(pk: UUID) -> tuple[DisputeSummary, Payment, Dispute]:
    """Return the row, and its payment and dispute from the log. Raises Http404."""
    row = DisputeSummary.objects.filter(pk=pk).first()
    if row is None:
        raise Http404(f"There is no dispute {pk}.")
    payment, _ = evidence.load(row.payment_id)
    dispute = find(payment.disputes, row.dispute_id)
    assert dispute is not None, "its row is made of the payment's events"  # noqa: S101
    return row, payment, dispute


def _to_page(row: DisputeSummary) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:readmodels_disputesummary_change", args=[row.pk]))
