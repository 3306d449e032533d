"""The page with the signed-in person's mentions, its buttons, and the number in the menu."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from msgspec import Struct

from payments import permissions
from payments.customers import staff_mentions
from payments.customers.models import StaffMention
from readmodels import labels
from readmodels.admin.base import figures, requests
from readmodels.models import PaymentSummary

_COUNTED_TO: Final = 100
_SHOWN: Final = 100


class ShownMention(Struct, frozen=True, kw_only=True):
    pk: int
    by: str
    at: datetime
    text: str
    payment_id: UUID
    payment: str
    unread: bool


def badge(request: HttpRequest) -> str:
    """Return the number next to "Mentions" in the sidebar, or "" if all are read."""
    if not permissions.holds(request.user, staff_mentions.SEE_NOTES):
        return ""
    unread = staff_mentions.of(requests.actor(request)).filter(read_at=None)
    found = figures.count_up_to(_COUNTED_TO, unread)
    return "" if found == "0" else found


def page(request: HttpRequest) -> HttpResponse:
    """Show the newest mentions of the person."""
    _require_reader(request)
    found = staff_mentions.of(requests.actor(request)).select_related("note")
    rows = list(found[: _SHOWN + 1])
    mentions = _shown(rows[:_SHOWN])
    context = {
        "title": "Mentions",
        "mentions": mentions,
        "has_unread": any(each.unread for each in mentions),
        "is_cut": len(rows) > _SHOWN,
    }
    return TemplateResponse(
        request, "backoffice/mentions.html", admin.site.each_context(request) | context
    )


@require_POST
def open_payment(request: HttpRequest, mention: int) -> HttpResponse:
    """Mark a mention as read, and show the notes on its payment."""
    _require_reader(request)
    payment_id = staff_mentions.read(requests.actor(request), mention, at=timezone.now())
    if payment_id is None:
        raise Http404
    payment = reverse("admin:readmodels_paymentsummary_change", args=[payment_id])
    return HttpResponseRedirect(f"{payment}#notes")


@require_POST
def read_all(request: HttpRequest) -> HttpResponse:
    """Mark all mentions of the person as read."""
    _require_reader(request)
    staff_mentions.read_all(requests.actor(request), at=timezone.now())
    messages.success(request, "All mentions are marked as read.")
    return HttpResponseRedirect(reverse("mentions"))


def _require_reader(request: HttpRequest) -> None:
    if not permissions.holds(request.user, staff_mentions.SEE_NOTES):
        raise PermissionDenied


def _shown(rows: Sequence[StaffMention]) -> list[ShownMention]:
    names = labels.people(row.note.author for row in rows)
    payments = PaymentSummary.objects.in_bulk({row.payment_id for row in rows})
    return [
        ShownMention(
            pk=row.pk,
            by=names.get(row.note.author, row.note.author),
            at=row.at,
            text=row.note.text,
            payment_id=row.payment_id,
            payment=_payment(payments.get(row.payment_id)),
            unread=row.read_at is None,
        )
        for row in rows
    ]


def _payment(row: PaymentSummary | None) -> str:
    if row is None:  # the read model does not have the payment yet
        return ""
    return f"{labels.amount(row.amount, row.currency)}, {labels.label(row.status).lower()}"
