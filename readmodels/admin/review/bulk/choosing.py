"""The payments that a person has chosen in the review queue."""

from collections.abc import Sequence
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest
from msgspec import Struct

from readmodels.admin.base.browsing import as_uuid
from readmodels.admin.base.filters import Checked
from readmodels.admin.review.actions import MOST_IN_BULK
from readmodels.admin.review.queue import QueueAdmin
from readmodels.models import PaymentSummary
from readmodels.queries.bounded import bounded


class NotChosen(Exception):
    """The form chooses no payment, or too many. The message names the next step."""


class Choice(Struct, frozen=True):
    """Payments in the order of the queue. `is_cut` is whether the view has more payments."""

    payment_ids: Sequence[UUID]
    is_cut: bool = False


def chosen(request: HttpRequest) -> Choice:
    """Return the payments that the form chooses. Raises NotChosen and TooBroad."""
    scopes = request.POST.getlist("all")
    if "view" in scopes:
        return _first_of_view(request)
    values = request.POST.getlist("shown" if "page" in scopes else "payment")
    payment_ids = list(dict.fromkeys(map(_payment_id, values)))
    if not payment_ids:
        raise NotChosen("Select at least one payment.")
    if len(payment_ids) > MOST_IN_BULK:
        raise NotChosen(f"Select at most {MOST_IN_BULK} payments, not {len(payment_ids)}.")
    return Choice(payment_ids)


def _payment_id(value: str) -> UUID:
    found = as_uuid(value)
    if found is None:
        raise NotChosen("A selected payment has an invalid id. Select the payments again.")
    return found


def _first_of_view(request: HttpRequest) -> Choice:
    """Return the first payments of the view that the URL names."""
    listing = QueueAdmin(PaymentSummary, admin.site)
    with bounded():
        selection = listing.selection(request, listing.view_of(request.GET))
        if any(spec.problems() for spec in selection.filter_specs if isinstance(spec, Checked)):
            raise NotChosen("A filter of this view is invalid. Correct it and select again.")
        rows = selection.queryset.order_by(*selection.order.by()).values_list("pk", flat=True)
        found = list(rows[: MOST_IN_BULK + 1])
    if not found:
        raise NotChosen("This view has no payments.")
    return Choice(found[:MOST_IN_BULK], is_cut=len(found) > MOST_IN_BULK)
