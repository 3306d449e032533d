"""Lists that stay fast at five million rows: pages by where they begin, nothing counted, nothing sorted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from msgspec import Struct
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from payments.domain.card_numbers import is_card_number
from payments.domain.text import searched
from readmodels.queries import keyset
from readmodels.queries.bounded import TooBroad, bounded

PAGE: Final = 50
_AFTER: Final = "after"
_BEFORE: Final = "before"
_SEPARATOR: Final = "~"


class Pages(Struct):
    """What the template shows below a list; Django's would want to know how many pages there are."""

    following: str | None
    previous: str | None
    words: tuple[str, str]  # for the links to what was before and to what follows
    template_name: str = "backoffice/parts/pages.html"
    count: int = 0


class KeysetChangeList(ChangeList):
    """A page begins after a row: an index finds it at any depth as fast as the first page."""

    model_admin: "BrowsingAdmin"

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        filters: dict[str, Any] = super().get_filters_params(params)
        return {name: given for name, given in filters.items() if name not in {_AFTER, _BEFORE}}

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Model]) -> list[str]:
        return keyset.order(self.model_admin.keyset, ascending=self.model_admin.ascending)

    def get_results(self, request: HttpRequest) -> None:
        fields = self.model_admin.keyset
        backwards = self._begin(request, _BEFORE)
        begin = backwards or self._begin(request, _AFTER)
        ascending = self.model_admin.ascending is not bool(backwards)
        rows = self.queryset.order_by(*keyset.order(fields, ascending=ascending))
        if begin is not None:
            rows = rows.filter(keyset.beyond(fields, begin, ascending=ascending))
        # Unchanged: Django drops what its form refuses, and would show the whole list.
        places = self.model_admin.places(request, request.GET.get(SEARCH_VAR, ""))
        found, more = keyset.page(rows if places is None else _found(rows, places), PAGE)
        if backwards:
            found.reverse()
        self.model_admin.prepare(found)
        self._set_results(
            found,
            following=found and (more or backwards) and self._link(_AFTER, _BEFORE, found[-1]),
            previous=found
            and (more if backwards else begin)
            and self._link(_BEFORE, _AFTER, found[0]),
        )

    def _set_results(self, found: list[Model], *, following: Any, previous: Any) -> None:
        self.result_list = found
        self.result_count = len(found)
        self.full_result_count = len(found)
        self.show_full_result_count = False
        self.show_admin_actions = False
        self.can_show_all = False
        self.multi_page = False
        self.paginator = Pages(following or None, previous or None, self.model_admin.page_words)

    def _begin(self, request: HttpRequest, name: str) -> tuple[Any, ...] | None:
        """The row that the page borders on. Anything else than such a row's values is the first page."""
        if not request.GET.get(name):
            return None
        given = request.GET[name]
        parts = given.split(_SEPARATOR)
        fields = [self.opts.get_field(field) for field in self.model_admin.keyset]
        if len(parts) != len(fields) or not given.isprintable():
            return None
        try:
            return tuple(field.to_python(part) for field, part in zip(fields, parts, strict=True))
        except (ValidationError, ValueError):
            return None

    def _link(self, name: str, other: str, row: Model) -> str:
        values = (getattr(row, field) for field in self.model_admin.keyset)
        begin = _SEPARATOR.join(map(_written, values))
        link: str = self.get_query_string({name: begin}, remove=[other, PAGE_VAR])
        return link


class BrowsingAdmin(ModelAdmin):
    """A read-only list with filters and an exact search.

    `keyset` names its unique order, which is descending unless `ascending` says otherwise; `page_words`
    lead to the page before and the next one. Without `has_pages` there is nothing about a row that the
    list does not say.
    """

    keyset: ClassVar[tuple[str, ...]] = ("id",)
    ascending: ClassVar[bool] = False
    page_words: ClassVar[tuple[str, str]] = ("Newer", "Older")
    has_pages: ClassVar[bool] = True
    actions = None
    sortable_by = ()
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    list_per_page = PAGE
    list_filter_submit = True

    def prepare(self, rows: Sequence[Any]) -> None:
        """Give the rows of one page what they do not have themselves, in a query for all of them."""

    def find(self, term: str) -> list[Q]:
        """Where `term`, spelled as stored text is, may be found: each place must have its index."""
        return []

    def places(self, request: HttpRequest, given: str) -> list[Q] | None:
        """Where to look for what was given; None if nothing was."""
        term = searched(given)
        if not given.strip():
            return None
        if is_card_number(term):
            messages.error(
                request,
                "This looks like a card number. Search for something else.",
            )
            return []
        return self.find(term) if term else []

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return queryset, False  # the list looks in all places itself

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """What the list's filters ask for. Django would take any question about any column."""
        return any(lookup in _asked_by(each) for each in self.list_filter)

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "title": str(self.opts.verbose_name_plural).capitalize(),
            **(extra_context or {}),
        }
        try:
            with bounded():
                answer: HttpResponse = super().changelist_view(request, context)
                return answer
        except TooBroad as error:
            context |= self.admin_site.each_context(request) | {"explanation": str(error)}
            return TemplateResponse(request, "backoffice/too_broad.html", context, status=503)

    def get_list_display_links(
        self, request: HttpRequest, list_display: Sequence[Any]
    ) -> Sequence[Any] | None:
        return super().get_list_display_links(request, list_display) if self.has_pages else None

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any | None:
        """Return the row of the page, None for a NUL character, which PostgreSQL refuses."""
        return super().get_object(request, object_id, from_field) if "\0" not in object_id else None

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or self.has_pages) and super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _found(rows: QuerySet[Any], places: Sequence[Q]) -> QuerySet[Any]:
    """Enough of the rows in any of the places for a page.

    A page of each, since for one condition of them all PostgreSQL might look through the whole list.
    """
    if not places:
        return rows.none()
    firsts = [rows.filter(place).values("pk")[: PAGE + 1] for place in places]
    return rows.filter(pk__in=firsts[0].union(*firsts[1:]))


def _asked_by(filter_: Any) -> set[str]:
    """The parameters of one of `list_filter`."""
    if isinstance(filter_, type):
        return {filter_.parameter_name}  # type: ignore[attr-defined]
    field = filter_ if isinstance(filter_, str) else filter_[0]
    ends = {f"{field}_{end}{part}" for end in ("from", "to") for part in ("", "_0", "_1")}
    return ends | {f"{field}__exact"}


def _written(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
