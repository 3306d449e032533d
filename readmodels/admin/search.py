"""The search in the header. It shows the first payments and customers, with links to all."""

from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from msgspec import Struct

from payments.customers.models import Customer
from payments.domain.card_numbers import is_card_number
from payments.domain.text import searched
from readmodels import labels, masking
from readmodels.admin.base import contacts, fragments
from readmodels.admin.base.browsing import BrowsingAdmin
from readmodels.admin.review.parties import parties
from readmodels.models import PaymentSummary
from readmodels.queries.bounded import TooBroad, bounded
from readmodels.queries.search.searching import Search

_SHOWN: Final = 10


class Section(Struct):
    """The results from one list. `lines` are the rows with the data that the template shows."""

    title: str
    template: str
    list_url: str
    search: Search
    lines: list[dict[str, Any]]
    has_more: bool


def search(request: HttpRequest) -> HttpResponse:
    """Show the results for `q` from the lists that the person may see."""
    lists = [
        (model_admin, template, describe)
        for model, template, describe in _LISTS
        if (model_admin := _admin_of(model)).has_view_permission(request)
    ]
    if not lists:
        raise PermissionDenied
    typed = request.GET.get("q", "")
    text = searched(typed)
    if is_card_number(text):
        messages.error(request, "This looks like a card number. Search for something else.")
        text = ""
    context: dict[str, Any] = {"title": "Search", "typed": typed, "is_search": True, "sections": []}
    try:
        with bounded():
            if text:
                context["sections"] = [_section(request, *each, text=text) for each in lists]
    except TooBroad as error:
        messages.error(request, str(error))
    return render(request, "backoffice/search.html", admin.site.each_context(request) | context)


def _section(
    request: HttpRequest, model_admin: BrowsingAdmin, template: str, describe: Any, *, text: str
) -> Section:
    search = Search(model_admin.places(text))
    order = model_admin.order({})
    rows = model_admin.get_queryset(request).order_by(*order.by())
    found = list(search.among(rows, order, size=_SHOWN + 1)[: _SHOWN + 1])
    name = f"{model_admin.opts.app_label}_{model_admin.opts.model_name}"
    return Section(
        title=str(model_admin.opts.verbose_name_plural).capitalize(),
        template=template,
        list_url=reverse(f"admin:{name}_changelist"),
        search=search,
        lines=describe(found[:_SHOWN]),
        has_more=len(found) > _SHOWN,
    )


def _payments(rows: list[Any]) -> list[dict[str, Any]]:
    names = parties(rows)
    return [
        {
            "id": row.pk,
            "amount": labels.amount(row.amount, row.currency),
            "status": labels.label(row.status),
            "color": fragments.STATUS_COLORS[row.status],
            "reference": masking.reference(row.reference or ""),
            "submitted": row.initiated_at,
            "parties": names[row.pk],
        }
        for row in rows
    ]


def _customers(rows: list[Any]) -> list[dict[str, Any]]:
    return [
        {"customer": row, "called": contacts.called(row), "contact": contacts.masked(row)}
        for row in rows
    ]


def _admin_of(model: type[Model]) -> BrowsingAdmin:
    found = admin.site.get_model_admin(model)
    assert isinstance(found, BrowsingAdmin)  # noqa: S101 - both are
    return found


_LISTS: Final[tuple[tuple[type[Model], str, Any], ...]] = (
    (PaymentSummary, "backoffice/parts/found_payments.html", _payments),
    (Customer, "backoffice/parts/found_customers.html", _customers),
)
