"""The tabs above a list: built-in views, the person's saved views, and views that others share."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from msgspec import Struct
from msgspec.structs import replace

from readmodels.admin.base.browsing import SORT, VIEW, BrowsingAdmin, parameters
from readmodels.admin.saved_views import storing
from readmodels.models import SavedView

# The value of the parameter `view` that shows the whole list, not the person's default view.
WHOLE = "all"
_LONGEST_NUMBER = 9

Filters = dict[str, str]


class Tab(Struct, frozen=True, kw_only=True):
    """A tab. `note` says who shares the view. `key` identifies the tab's count."""

    label: str
    url: str
    key: str
    is_current: bool
    note: str = ""
    count: str = ""


class ViewsAdmin(BrowsingAdmin):
    """A list with saved views. `screen` is its name in the table of saved views."""

    screen: ClassVar[str]
    sorts: ClassVar[Mapping[str, Any]] = {}

    def builtin_views(self) -> Sequence[tuple[str, Filters]]:
        """Return the label and the filters of each tab that everyone has."""
        return (("All", {}),)

    def list_url(self) -> str:
        """Return the URL of the list without a query."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def view_of(self, params: Mapping[str, str]) -> Filters:
        """Return the filters and the order among the URL's parameters, in a fixed sequence."""
        known = set().union(*map(parameters, self.list_filter)) | ({SORT} if self.sorts else set())
        return {name: value for name, value in sorted(params.items()) if name in known and value}

    def kept(self, view: SavedView) -> tuple[Filters, list[str]]:
        """Return a saved view's filters, and the names of filters that the list no longer has."""
        saved = dict(parse_qsl(view.query))
        kept = self.view_of(saved)
        return kept, sorted(saved.keys() - kept.keys())

    def tabs(self, current: Filters, views: Sequence[SavedView]) -> Iterator[Tab]:
        saved = [(view, *self.kept(view)) for view in views]
        is_saved = any(kept == current for _, kept, _ in saved)
        filters = {name: value for name, value in current.items() if name != SORT}
        sort = {SORT: current[SORT]} if SORT in current else {}
        has_start = any(view.is_start for view in views)
        for label, own in self.builtin_views():
            query = own | sort or ({VIEW: WHOLE} if has_start else {})
            yield Tab(
                label=label,
                url=f"?{urlencode(query)}",
                key=urlencode(own),
                is_current=filters == own and not is_saved,
            )
        for view, kept, dropped in saved:
            # With the view's id in the URL, the list names the filters that it drops.
            query = {VIEW: str(view.pk)} if dropped or not kept else kept
            yield Tab(
                label=str(view),
                url=f"?{urlencode(query)}",
                key=f"view-{view.pk}",
                is_current=kept == current,
                note=f"Shared by {view.owner.get_full_name() or view.owner.get_username()}"
                if view.shared
                else "",
            )

    def counts(self, request: HttpRequest, views: Sequence[SavedView]) -> dict[str, str]:
        """Return the count of each tab by key. Lists that are too long to count return none."""
        return {}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        views = storing.visible(request.user, self.screen)
        elsewhere = self._elsewhere(request, views)
        if elsewhere is not None:
            return HttpResponseRedirect(f"{request.path}?{urlencode(elsewhere)}")
        current = self.view_of(request.GET)
        counts = self.counts(request, views)
        tabs = [replace(tab, count=counts.get(tab.key, "")) for tab in self.tabs(current, views)]
        query = urlencode(current)
        is_new = bool(current) and not any(each.is_current for each in tabs)
        manage_url = reverse("saved_views", args=[self.screen])
        answer = super().changelist_view(
            request,
            {
                "tabs": tabs if len(tabs) > 1 or is_new else [],
                "save_url": f"{manage_url}save/?{query}" if is_new else "",
                "manage_url": manage_url if views else "",
                "view_query": query,
                "whole_url": tabs[0].url,
                **(extra_context or {}),
            },
        )
        listing = getattr(answer, "context_data", {}).get("cl")
        if listing is not None:
            listing.clear_all_filters_qs = tabs[0].url
        return answer

    def _elsewhere(self, request: HttpRequest, views: Sequence[SavedView]) -> Filters | None:
        """Return the parameters of the view to open instead, or None if the URL has filters."""
        asked = request.GET.get(VIEW, "")
        if not request.GET:
            view = next((each for each in views if each.is_start), None)
        elif asked and asked != WHOLE:
            number = asked if asked.isdecimal() and len(asked) <= _LONGEST_NUMBER else "0"
            view = next((each for each in views if each.pk == int(number)), None)
            if view is None:
                messages.error(request, storing.GONE)
                return {VIEW: WHOLE}
        else:
            return None
        if view is None:
            return None
        kept, dropped = self.kept(view)
        if dropped:
            names = ", ".join(dropped)
            messages.warning(
                request,
                f"This list no longer has these filters of “{view}”, which are left out: {names}.",
            )
        return kept or {VIEW: WHOLE}
