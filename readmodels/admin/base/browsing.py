"""Lists that stay fast with five million rows: keyset pages, without counts and sorting."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from functools import reduce
from operator import and_
from typing import Any, ClassVar, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.views import View
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from payments import permissions
from payments.domain.card_numbers import is_card_number
from payments.domain.text import searched
from readmodels.admin.base import way_back
from readmodels.admin.base.filters import Checked
from readmodels.admin.base.kept_text import keep_typed_text
from readmodels.exports.recording import LISTS
from readmodels.queries import keyset
from readmodels.queries.bounded import TooBroad, bounded
from readmodels.queries.keyset import Order
from readmodels.queries.search.places import Place
from readmodels.queries.search.searching import Search

PAGE: Final = 50
SORT: Final = "sort"
VIEW: Final = "view"
_AFTER: Final = "after"
_BEFORE: Final = "before"
KIND: Final = "as"
_NO_FILTERS: Final = frozenset({_AFTER, _BEFORE, SORT, VIEW, KIND})
_SEPARATOR: Final = "~"


class KeysetChangeList(ChangeList):
    """A change list whose pages start after a given row, so that an index finds any page fast.

    It has no paginator, because the number of pages is unknown. The template `backoffice/list.html`
    links to `previous_url` and `next_url`, which are None at the ends of the list.
    """

    model_admin: "BrowsingAdmin"
    order: Order
    previous_url: str | None
    next_url: str | None
    search: Search | None
    invalid: frozenset[str] = frozenset()  # the titles of filters with an invalid value

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        filters: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in filters.items() if name not in _NO_FILTERS}

    def url_for_result(self, result: Model) -> str:
        url: str = super().url_for_result(result)
        name = self.model_admin.returns_to
        return url + way_back.from_list(name, self.get_query_string()) if name else url

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Model]) -> list[str]:
        self.order = self.model_admin.order(self.params)
        return self.order.by()

    def get_results(self, request: HttpRequest) -> None:
        self._report_problems(request)
        before = self._boundary(request, _BEFORE)
        boundary = before or self._boundary(request, _AFTER)
        order = self.order.reverse() if before else self.order
        rows = self.queryset.order_by(*order.by())
        if boundary is not None:
            rows = rows.filter(order.beyond(boundary))
        # Use the raw search text. Django shows the whole list if its form refuses the text.
        self.search = self.model_admin.search(request, request.GET.get(SEARCH_VAR, ""))
        if self.search is not None:
            rows = self.search.among(rows, order, size=PAGE + 1)
        found, more = keyset.page(rows, PAGE)
        if before:
            found.reverse()
        has_previous, has_next = (more, True) if before else (boundary is not None, more)
        self.previous_url = self._url(_BEFORE, found[0]) if found and has_previous else None
        self.next_url = self._url(_AFTER, found[-1]) if found and has_next else None
        self._set_results(found)

    def _report_problems(self, request: HttpRequest) -> None:
        for spec in self.filter_specs:
            for problem in spec.problems().values() if isinstance(spec, Checked) else ():
                self.invalid |= {str(spec.title)}
                messages.error(request, f"Filter by {spec.title}: {problem}")

    def described_filters(self) -> list[tuple[str, str]]:
        """Return the title and the displayed value of each filter that has a valid value."""
        specs = [each for each in self.filter_specs if isinstance(each, Checked)]
        valid = (each for each in specs if each.title not in self.invalid)
        shown = ((capfirst(str(each.title)), each.described()) for each in valid)
        return [(title, value) for title, value in shown if value]

    def readings(self) -> list[dict[str, Any]]:
        """Return the ways to read the search text, each with the URL of its results."""
        kinds = self.search.kinds() if self.search else []
        return [
            {
                "label": each.label,
                "found": each.found,
                "chosen": each.chosen,
                "url": self.get_query_string(
                    {} if each.chosen else {KIND: each.kind},
                    remove=[KIND, _AFTER, _BEFORE],
                ),
            }
            for each in kinds
        ]

    def _set_results(self, found: list[Model]) -> None:
        details = self.model_admin.details(found)
        for row in found:
            row.details = details.get(row.pk)  # type: ignore[attr-defined]
        self.result_list = found
        self.result_count = len(found)
        self.full_result_count = len(found)
        self.show_full_result_count = False
        self.show_admin_actions = False
        self.can_show_all = False
        self.multi_page = False

    def _boundary(self, request: HttpRequest, name: str) -> tuple[Any, ...] | None:
        """Return the key of the row before or after the page, or None if there is no valid key."""
        text = request.GET.get(name, "")
        parts = text.split(_SEPARATOR)
        fields = [self.opts.get_field(field) for field in self.order.fields]
        if len(parts) != len(fields) or not text or not text.isprintable():
            return None
        try:
            values = (field.to_python(part) for field, part in zip(fields, parts, strict=True))
            return tuple(map(_in_utc, values))
        except (ValidationError, ValueError, OverflowError):
            return None

    def _url(self, name: str, row: Model) -> str:
        values = (getattr(row, field) for field in self.order.fields)
        key = _SEPARATOR.join(map(_key_text, values))
        other = _BEFORE if name == _AFTER else _AFTER
        url: str = self.get_query_string({name: key}, remove=[other])
        return url


class Selection(KeysetChangeList):
    """The rows that the filters select, in the list's order. No page of rows is read."""

    def get_results(self, request: HttpRequest) -> None:
        self._set_results([])

    def condition(self) -> Q | None:
        """Return the combined condition of all filters, or None if any has an invalid value."""
        specs = [each for each in self.filter_specs if isinstance(each, Checked)]
        if any(each.problems() for each in specs):
            return None
        return reduce(and_, (each.condition() for each in specs), Q())


class BrowsingAdmin(ModelAdmin):
    """A read-only list with filters and an exact search.

    `keyset` names the fields of its unique order, descending unless `ascending` is set. A list with
    several orders overrides `order`. `page_labels` are the texts of the links to the previous and
    next page. `has_pages` is whether each row has its own page. `returns_to` is the name of the
    list in `way_back`. `exported_as` is its kind in `readmodels.exports`, or empty without an
    export. `empty_title` and `empty_text` appear if the list is empty without filters.
    """

    keyset: ClassVar[tuple[str, ...]] = ("id",)
    ascending: ClassVar[bool] = False
    page_labels: ClassVar[tuple[str, str]] = ("Newer", "Older")
    has_pages: ClassVar[bool] = True
    returns_to: ClassVar[str] = ""
    exported_as: ClassVar[str] = ""
    empty_title: ClassVar[str] = "Nothing here yet"
    empty_text: ClassVar[str] = ""
    change_list_template = "backoffice/list.html"
    actions = None
    empty_value_display = "–"
    sortable_by = ()
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    list_per_page = PAGE
    list_filter_submit = True
    # unfold's template reads this twice in each row, and the lookup of a missing attribute is slow.
    list_sections = ()

    @property
    def list_title(self) -> str:
        return str(self.opts.verbose_name_plural).capitalize()

    def order(self, params: Mapping[str, str]) -> Order:
        """Return the order of the list for these parameters of its URL."""
        return Order(fields=self.keyset, ascending=self.ascending)

    def details(self, rows: Sequence[Any]) -> Mapping[Any, Any]:
        """Return, by primary key, the data that columns show in addition to the model's fields.

        It is called once for all rows of a page. Columns read the data as `row.details`.
        """
        return {}

    def places(self, text: str) -> Iterable[Place]:
        """Yield the places to search for `text`, which is not blank. Each place needs an index."""
        return []

    def search(self, request: HttpRequest, text: str) -> Search | None:
        """Return the search for the typed text, or None if it is blank."""
        if not text.strip():
            return None
        term = searched(text)
        if is_card_number(term):
            messages.error(request, "This looks like a card number. Search for something else.")
            return Search(())
        places = self.places(term) if term else ()
        return Search(places, kind=request.GET.get(KIND, ""))

    def page(
        self,
        request: HttpRequest,
        template: str,
        *,
        title: str,
        original: Model | None,
        status_code: int = 200,
        **context: Any,
    ) -> TemplateResponse:
        """Render a page with the admin's menu and breadcrumb, about the row `original`, if any."""
        request.way_back = way_back.of(request, original.pk if original else None)  # type: ignore[attr-defined]
        request.list_title = self.list_title  # type: ignore[attr-defined]
        shared = self.admin_site.each_context(request) | {"opts": self.opts, "original": original}
        context |= shared | {"title": title}
        return TemplateResponse(request, template, context, status=status_code)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return queryset, False  # KeysetChangeList does the search

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """Return whether a filter of the list uses the lookup. Django would allow more lookups."""
        return any(lookup in parameters(each) for each in self.list_filter)

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[KeysetChangeList]:
        return Selection if getattr(request, "selects_only", False) else KeysetChangeList

    def get_list_filter(self, request: HttpRequest) -> Sequence[Any]:
        if getattr(request, "selects_only", False):
            return [
                each
                for each in self.list_filter
                if getattr(each, "is_permanent", False) or parameters(each) & request.GET.keys()
            ]
        return list(self.list_filter)

    def condition(self, request: HttpRequest, params: Mapping[str, str]) -> Q | None:
        """Return the condition for the rows that `params` select, or None if any is invalid."""
        return self.selection(request, params).condition()

    def selection(self, request: HttpRequest, params: Mapping[str, str]) -> Selection:
        """Return the rows that URL parameters select, for the person who sent the request."""
        if not hasattr(request, "lookups"):
            request.lookups = {}  # type: ignore[attr-defined]
        asked = copy(request)
        asked.GET = QueryDict(urlencode(params))
        asked.selects_only = True  # type: ignore[attr-defined]
        selection: Selection = self.get_changelist_instance(asked)
        return selection

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "title": self.list_title,
            "export_url": self.export_url(request),
            "empty_title": self.empty_title,
            "empty_text": self.empty_text,
            **(extra_context or {}),
        }
        try:
            with bounded():
                answer: HttpResponse = super().changelist_view(request, context)
                return answer
        except TooBroad as error:
            context |= self.admin_site.each_context(request) | {"explanation": str(error)}
            return TemplateResponse(request, "backoffice/too_broad.html", context, status=503)

    def export_url(self, request: HttpRequest) -> str:
        """Return the URL that exports the filtered rows, empty if the person cannot export them."""
        if not self.exported_as or not permissions.holds(request.user, LISTS):
            return ""
        query = request.GET.copy()
        for name in (_AFTER, _BEFORE, VIEW, KIND):
            query.pop(name, None)
        address = reverse("export", args=[self.exported_as])
        return f"{address}?{query.urlencode()}" if query else address

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.row_page(request, object_id)

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the page of the row. The permission is already checked. Raises Http404."""
        answer: HttpResponse = super().change_view(request, object_id)
        return answer

    def form_view(self, view: type[View], **options: Any) -> Callable[..., HttpResponseBase]:
        """Return a form view for staff that keeps the typed text if the session has ended."""
        return keep_typed_text(self.admin_site.admin_view(view.as_view(admin=self, **options)))

    def get_list_display_links(
        self, request: HttpRequest, list_display: Sequence[Any]
    ) -> Sequence[Any] | None:
        return super().get_list_display_links(request, list_display) if self.has_pages else None

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any | None:
        """Return the row, or None for an id with a NUL character, which PostgreSQL refuses."""
        return super().get_object(request, object_id, from_field) if "\0" not in object_id else None

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Raise Http404. Django's history page lists only changes made with its own forms."""
        raise Http404

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


def parameters(filter_: Any) -> set[str]:
    """Return the query parameters of one entry of `list_filter`."""
    if isinstance(filter_, type):
        return set(getattr(filter_, "parameters", None) or {filter_.parameter_name})  # type: ignore[attr-defined]
    field = filter_ if isinstance(filter_, str) else filter_[0]
    ends = {f"{field}_{end}{part}" for end in ("from", "to") for part in ("", "_0", "_1")}
    return ends | {f"{field}__exact"}


def _in_utc(value: Any) -> Any:
    """Convert a time to UTC, because PostgreSQL refuses some offsets. Keep all other values."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _key_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
