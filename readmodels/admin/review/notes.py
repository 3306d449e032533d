"""Notes without a decision: how a payment's page shows them, and the form that adds one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views import View
from msgspec import Struct

from payments import permissions
from payments.aggregates import HistoricPaymentEvent
from payments.api.http.base import command_context
from payments.application import note_taking
from payments.application.idempotency import KeyReused
from payments.customers import notes, staff_mentions
from payments.customers.models import Note
from payments.domain.files import FileRefused
from payments.domain.payment.events import PaymentNoteAdded
from payments.domain.text import TextError
from readmodels import labels
from readmodels.admin.base import kept_text, requests, way_back
from readmodels.admin.base.text_field import StoredTextField
from readmodels.admin.review import attached, evidence, timeline
from readmodels.admin.review.attached import FilesField, ShownFile
from readmodels.admin.review.timeline import Entry
from readmodels.models import PaymentSummary

_SENT_BEFORE: Final = (
    "You already sent another note with this form. Send it again to add this one too."
)
_RESTORED: Final = f"{kept_text.NOT_SENT} Files are not kept."
_ATTACH_AGAIN: Final = " Attach the files again."


class ShownNote(Struct, frozen=True, kw_only=True):
    """A note as the page shows it. `remark` replaces or questions its text."""

    by: str
    at: datetime
    version: int
    text: str
    remark: str = ""
    files: tuple[ShownFile, ...] = ()


def shown(
    history: Sequence[HistoricPaymentEvent],
    entries: Sequence[Entry],
    texts: Mapping[UUID, Note],
    *,
    version: int,
) -> list[ShownNote]:
    """Return the notes up to a version of the payment, newest first.

    `entries` are the timeline's, one for each event of `history`.
    """
    found, files = [], attached.found_in(history)
    for record, entry in zip(history, entries, strict=True):
        event = record.event
        if isinstance(event, PaymentNoteAdded) and record.version <= version:
            note = texts.get(event.note.note_id)
            remark = timeline.ERASED if note is None else ""
            if note is not None and note.digest != event.note.digest:
                remark = timeline.CHANGED
            found.append(
                ShownNote(
                    by=entry.by,
                    at=event.at,
                    version=record.version,
                    text=note.text if note else "",
                    remark=remark,
                    files=attached.shown(event.attachments, files),
                )
            )
    return found[::-1]


def _warn_of_unknown(request: HttpRequest, text: str) -> None:
    """Warn about the names after an @ that notified nobody."""
    unknown = staff_mentions.find(text, author=requests.actor(request)).unknown
    if unknown:
        names = ", ".join(f"@{labels.isolated(each)}" for each in unknown)
        messages.warning(
            request, f"{names} notified nobody: no member of staff who sees notes has that name."
        )


class NoteForm(forms.Form):
    """The form below a payment's notes. With the same `key`, a double click adds one note."""

    note = StoredTextField(
        max_length=notes.LONGEST,
        rows=3,
        help_text="Visible to staff only. @name notifies a colleague. No card numbers. Notes can be erased.",
        error_messages={"required": "Write a note."},
    )
    attached = FilesField()
    key = forms.UUIDField(widget=forms.HiddenInput)


def fresh_form(*, note: str = "") -> NoteForm:
    """Return a form that has not been sent yet."""
    return NoteForm(initial={"note": note, "key": uuid4()})


class NoteView(View):
    """Add a note to a payment. After a refusal, the form keeps the typed text."""

    keeps: ClassVar = ("note",)
    admin: Any = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, permissions.REVIEW):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        return self._page(request, payment_id, fresh_form())

    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        typed = request.POST.get("note", "")
        if kept_text.is_restored(request):
            return self._page(request, payment_id, fresh_form(note=typed), _RESTORED)
        evidence.load(payment_id)  # raises Http404
        form = NoteForm(request.POST, request.FILES)
        if "key" in form.errors:
            return self._page(request, payment_id, fresh_form(note=typed), kept_text.NOT_SENT)
        if not form.is_valid():
            return self._page(request, payment_id, form)
        context = command_context(
            request, actor=requests.actor(request), key=str(form.cleaned_data["key"])
        )
        try:
            note_taking.add(
                payment_id,
                form.cleaned_data["note"],
                context,
                at=timezone.now(),
                files=form.cleaned_data["attached"],
            )
        except (FileRefused, TextError) as error:
            form.add_error("attached", str(error))
            return self._page(request, payment_id, form)
        except KeyReused:
            return self._page(request, payment_id, fresh_form(note=typed), _SENT_BEFORE)
        messages.success(request, "Note added.")
        _warn_of_unknown(request, form.cleaned_data["note"])
        page = reverse("admin:readmodels_paymentsummary_change", args=[payment_id])
        return HttpResponseRedirect(f"{page}{way_back.of(request).carried}#notes")

    def _page(
        self, request: HttpRequest, payment_id: UUID, form: NoteForm, refusal: str = ""
    ) -> HttpResponse:
        # Browsers do not keep chosen files when a form is shown again.
        if refusal and request.FILES:
            refusal += _ATTACH_AGAIN
        elif form.errors and request.FILES:
            form.add_error("attached", _ATTACH_AGAIN.strip())
        payment, history = evidence.load(payment_id)
        texts = timeline.notes_of(payment)
        entries = timeline.entries(history, texts)
        page: HttpResponse = self.admin.page(
            request,
            "backoffice/note.html",
            title="Add a note",
            original=PaymentSummary(pk=payment_id),
            status_code=409 if refusal else 200,
            payment=payment,
            heading=f"Note on the payment of {payment.amount.formatted()}",
            notes=shown(history, entries, texts, version=payment.version),
            form=form,
            refusal=refusal,
        )
        return page
