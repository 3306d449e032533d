"""The files of notes: how they are listed, uploaded and downloaded."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from msgspec import Struct

from payments import permissions
from payments.aggregates import HistoricPaymentEvent
from payments.customers import attachments
from payments.customers.attachments import File
from payments.customers.models import Attachment
from payments.customers.staff_mentions import SEE_NOTES
from payments.domain import files
from payments.domain.files import AttachmentRef, MediaType
from payments.domain.payment.events import PaymentNoteAdded
from readmodels.admin.review import evidence

_CONTENT_TYPES: Final = {MediaType.TEXT: "text/plain; charset=utf-8"}
# Browsers should save the file. If one shows it anyway, nothing in it can run or load.
_HEADERS: Final = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class ShownFile(Struct, frozen=True, kw_only=True):
    """A line below a note. `attachment_id` is None if the file was erased."""

    name: str
    size: str
    attachment_id: UUID | None


def found_in(history: Iterable[HistoricPaymentEvent]) -> dict[UUID, Attachment]:
    """Return the attachments of the notes in a history by id, without their content."""
    ids = [each.attachment_id for record in history for each in _references(record)]
    return attachments.without_content(ids) if ids else {}


def shown(
    references: Iterable[AttachmentRef], found: Mapping[UUID, Attachment]
) -> tuple[ShownFile, ...]:
    return tuple(
        ShownFile(
            name=str(found.get(each.attachment_id, "This file was erased")),
            size=_size(each.size),
            attachment_id=each.attachment_id if each.attachment_id in found else None,
        )
        for each in references
    )


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """A field for several files. It returns a list of `File`, which the use case checks."""

    def __init__(self) -> None:
        accepted = [end for ends in files.ENDS.values() for end in ends]
        super().__init__(
            required=False,
            label="Files",
            widget=FilesInput(attrs={"accept": ",".join(accepted)}),
            help_text=f"Up to {files.MOST} files: PNG, JPEG or PDF of {files.LARGEST // 1024**2} MB,"
            f" TXT of {files.LARGEST_TEXT // 1024} KB.",
        )

    def clean(self, data: Any, initial: Any = None) -> Any:
        given: list[UploadedFile[Any]] = data or []
        # Check number and size before the files are read.
        if len(given) > files.MOST:
            raise forms.ValidationError(f"Attach at most {files.MOST} files to a note.")
        if any((each.size or 0) > files.LARGEST for each in given):
            raise forms.ValidationError(str(files.too_large()))
        return [File(each.name or "", each.read()) for each in given]


@require_GET
@never_cache
def download(request: HttpRequest, payment_id: UUID, attachment_id: UUID) -> HttpResponse:
    """Send a file of the payment as a download. Refuse if its hash differs from the log."""
    if not permissions.holds(request.user, SEE_NOTES):
        raise PermissionDenied
    _, history = evidence.load(payment_id)
    recorded = {each.attachment_id: each for record in history for each in _references(record)}
    attachment = Attachment.objects.filter(pk=attachment_id).first()
    if attachment is None or attachment_id not in recorded:
        raise Http404("There is no such file, or it was erased.")
    if attachment.digest != recorded[attachment_id].digest:
        return HttpResponse(
            "This file was changed after it was recorded: its hash differs. It is not sent.",
            content_type="text/plain",
            status=409,
        )
    media_type = MediaType(attachment.media_type)
    disposition = content_disposition_header(as_attachment=True, filename=str(attachment))
    headers = {**_HEADERS, "Content-Disposition": disposition or "attachment"}
    return HttpResponse(
        bytes(attachment.content),
        content_type=_CONTENT_TYPES.get(media_type, str(media_type)),
        headers=headers,
    )


def _references(record: HistoricPaymentEvent) -> tuple[AttachmentRef, ...]:
    return record.event.attachments if isinstance(record.event, PaymentNoteAdded) else ()


def _size(octets: int) -> str:
    if octets < 1024**2:
        return f"{max(1, octets // 1024)} KB"
    return f"{octets / 1024**2:.1f} MB"
