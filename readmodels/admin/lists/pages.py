"""All lists, and the entries of one list."""

from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from payments import permissions
from payments.application import policies
from payments.customers.models import Note
from payments.domain.list_items import Item, ListName
from payments.domain.lists import MOST_LISTS, id_of
from payments.domain.text import searched
from payments.lists.models import Entry, RiskList
from readmodels import labels
from readmodels.admin.lists import shown
from readmodels.queries import keyset

_PAGE: Final = 50
_ORDER: Final = ("from_position",)
_DIGITS_OF_A_POSITION: Final = 18


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """Show all lists, those in use first."""
    _check_access(request)
    found = RiskList.objects.order_by(F("archived_at").desc(nulls_first=True), "name")
    return page(
        request,
        "backoffice/lists/overview.html",
        title="Lists",
        lists=[(each, shown.TYPES[Item(each.item)]) for each in found],
        most=MOST_LISTS,
        may_manage=permissions.holds(request.user, permissions.MANAGE_LISTS),
    )


@require_GET
def entries(request: HttpRequest, name: str) -> HttpResponse:
    """Show a list with one page of its entries, or with the entry that was searched for."""
    _check_access(request)
    found = find(name)
    item = Item(found.item)
    term = searched(request.GET.get("q", ""))
    current = Entry.objects.filter(list=found, to_position=None)
    if term:
        current = current.filter(key__in=shown.searched_keys(item, term))
    rows, links = _page(request, current)
    comment = Note.objects.filter(pk=found.comment_id).first()
    in_use = found.archived_at is None
    used_by = policies.using(ListName(name))
    return page(
        request,
        "backoffice/lists/entries.html",
        title=f"List {name}",
        found=found,
        type=shown.TYPES[item],
        comment=comment.text if comment else "The comment was erased.",
        created_by=labels.person(found.created_by),
        archived_by=labels.person(found.archived_by) if found.archived_by else "",
        used_by=used_by,
        term=term,
        searchable=item is not Item.CARD,
        rows=shown.rows(rows, item, timezone.now()),
        cl=links,
        is_card_list=item is Item.CARD,
        may_edit=in_use and permissions.holds(request.user, permissions.EDIT_LISTS),
        may_archive=in_use
        and not used_by
        and permissions.holds(request.user, permissions.MANAGE_LISTS),
    )


def find(name: str) -> RiskList:
    """Return the list. Raises Http404."""
    found = RiskList.objects.filter(pk=id_of(name)).first()
    if found is None:
        raise Http404("There is no such list.")
    return found


def page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})


def _check_access(request: HttpRequest) -> None:
    if not permissions.holds(request.user, permissions.SEE_POLICIES):
        raise PermissionDenied


def _page(request: HttpRequest, found: QuerySet[Entry]) -> tuple[list[Entry], dict[str, Any]]:
    """Return the entries of the page, the newest first, and its links for parts/pages.html."""
    before, after = (_position(request.GET.get(each, "")) for each in ("before", "after"))
    boundary = before if before is not None else after
    ascending = before is not None
    rows = found.order_by(*keyset.order(_ORDER, ascending=ascending))
    if boundary is not None:
        rows = rows.filter(keyset.beyond(_ORDER, [boundary], ascending=ascending))
    entries, more = keyset.page(rows, _PAGE)
    if ascending:
        entries.reverse()
    newer, older = (more, True) if ascending else (boundary is not None, more)
    return entries, {
        "previous_url": f"?before={entries[0].pk}" if entries and newer else None,
        "next_url": f"?after={entries[-1].pk}" if entries and older else None,
        "model_admin": {"page_labels": ("Newer", "Older")},
    }


def _position(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS_OF_A_POSITION
    return int(text) if is_number else None
