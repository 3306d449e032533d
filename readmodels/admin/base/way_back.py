"""The way from a page back to the list that it was opened from, with its filters and row.

The URL of the page names the list, and so do the page's links and forms.
"""

from typing import Final
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.urls import reverse
from msgspec import Struct

_PARAMETER: Final = "from"
_LONGEST: Final = 1_000
QUEUE: Final = "queue"
PAYMENTS: Final = "payments"
# The lists that a page may lead back to, with their titles and URL names.
_LISTS: Final = {
    QUEUE: ("Review queue", "review_queue"),
    PAYMENTS: ("All payments", "admin:readmodels_paymentsummary_changelist"),
}


class WayBack(Struct, frozen=True, kw_only=True):
    """The list and its row. `carried` is the query for links. All are empty without a list."""

    name: str = ""
    title: str = ""
    url: str = ""
    row: str = ""
    carried: str = ""


def of(request: HttpRequest, key: object = None) -> WayBack:
    """Return the way back that the request's URL names. An invalid one is ignored.

    `key` is the primary key of the row to return to.
    """
    origin = request.GET.get(_PARAMETER, "")
    name, _, query = origin.partition("?")
    if name not in _LISTS or len(origin) > _LONGEST:
        return WayBack()
    title, address = _LISTS[name]
    # Encode the filters again: they may be any text, which must not change the URL's path.
    query = QueryDict(query).urlencode()
    url = reverse(address)
    return WayBack(
        name=name,
        title=title,
        url=f"{url}?{query}" if query else url,
        row=row_id(key),
        carried=from_list(name, f"?{query}" if query else ""),
    )


def from_list(name: str, query: str) -> str:
    """Return the query that names the list and its `query`, such as "?status=failed"."""
    return f"?{urlencode({_PARAMETER: f'{name}{query}'})}"


def row_id(key: object) -> str:
    """Return the HTML id of the row's link, which the way back scrolls to."""
    return f"row-{key}"


def is_at_queue(request: HttpRequest) -> bool:
    """Return whether the menu marks the queue, for its pages and for payments opened from it."""
    if _is_payments_page(request):
        return of(request).name == QUEUE
    return request.path.startswith(reverse("review_queue"))


def is_at_payments(request: HttpRequest) -> bool:
    return _is_payments_page(request) and of(request).name != QUEUE


def _is_payments_page(request: HttpRequest) -> bool:
    return request.path.startswith(reverse("admin:readmodels_paymentsummary_changelist"))
