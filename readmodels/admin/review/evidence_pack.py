"""The page that exports a payment's evidence as a ZIP file and lists earlier exports."""

import zipfile
from io import BytesIO
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views import View
from unfold.widgets import UnfoldAdminSelectWidget

from payments import permissions
from payments.events.seals.sealing import DamagedSeal
from readmodels import labels
from readmodels.admin.base import kept_text, requests
from readmodels.admin.base.text_field import StoredTextField
from readmodels.admin.review import evidence
from readmodels.evidence import gathering
from readmodels.exports import recording
from readmodels.exports.models import LONGEST_REASON
from readmodels.models import PaymentSummary

_MOST_EARLIER = 20


class EvidenceForm(forms.Form):
    decision = forms.TypedChoiceField(
        label="Content",
        required=False,
        empty_value=None,
        coerce=int,
        widget=UnfoldAdminSelectWidget,
        error_messages={"invalid_choice": "This is not one of the choices. Choose one."},
    )
    reason = StoredTextField(
        max_length=LONGEST_REASON,
        help_text="Such as a case number. It is recorded with your name and shown to auditors."
        " No names of customers.",
        error_messages={"required": "Enter why you need the evidence."},
    )

    def __init__(self, history: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["decision"].choices = [  # type: ignore[attr-defined]
            ("", "The whole payment"),
            *(
                (each.version, f"Up to the decision in version {each.version}: {_title(each)}")
                for each in gathering.decisions(history)
            ),
        ]


class EvidenceView(View):
    keeps: ClassVar = ("reason",)
    http_method_names = ["get", "post"]
    admin: Any = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, recording.EVIDENCE):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        payment, history = evidence.load(payment_id)
        return self._page(request, payment, EvidenceForm(history))

    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        payment, history = evidence.load(payment_id)
        if kept_text.is_restored(request):
            form = EvidenceForm(history, initial={"reason": request.POST.get("reason", "")})
            return self._page(request, payment, form, refusal=kept_text.NOT_SENT)
        form = EvidenceForm(history, request.POST)
        if not form.is_valid():
            return self._page(request, payment, form)
        try:
            made = gathering.make(
                payment_id,
                decision=form.cleaned_data["decision"],
                reason=form.cleaned_data["reason"],
                by=requests.actor(request),
                at=timezone.now(),
            )
        except (DamagedSeal, gathering.NotADecision) as error:
            return self._page(request, payment, form, refusal=str(error))
        return HttpResponse(
            _zipped(made),
            content_type="application/zip",
            headers={"Content-Disposition": f'attachment; filename="{made.name}.zip"'},
        )

    def _page(
        self, request: HttpRequest, payment: Any, form: EvidenceForm, *, refusal: str = ""
    ) -> HttpResponse:
        earlier = list(recording.evidence_of(payment.payment_id)[:_MOST_EARLIER])
        names = labels.people(each.requested_by for each in earlier)
        page: HttpResponse = self.admin.page(
            request,
            "backoffice/evidence/form.html",
            title="Export the evidence",
            original=PaymentSummary(pk=payment.payment_id),
            payment=payment,
            form=form,
            refusal=refusal,
            earlier=[(each, names.get(each.requested_by, each.requested_by)) for each in earlier],
        )
        return page


def _title(record: Any) -> str:
    title, details = labels.describe(record.event)
    return ", ".join((title, *details)).lower()


def _zipped(made: gathering.Evidence) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{made.name}.json", made.pack)
        archive.writestr(f"{made.name}.html", made.page)
    return buffer.getvalue()
