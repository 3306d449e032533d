"""The way from a page back to the list that it was opened from: the same filters, page and row.

The address of the page carries the list, and so do the links and forms of the page.
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
# The lists that a page may lead back to, with their titles and the names of their addresses.
_LISTS: Final = {
    QUEUE: ("Review queue", "review_queue"),
    PAYMENTS: ("All payments", "admin:readmodels_paymentsummary_changelist"),
}


class WayBack(Struct, frozen=True, kw_only=True):
    """The list and its row. `carried` is the query that passes them on. All are empty without a list."""

    name: str = ""
    title: str = ""
    url: str = ""
    row: str = ""
    carried: str = ""


def of(request: HttpRequest, key: object = None) -> WayBack:
    """Return the way back that the address of the request carries. An invalid one is ignored.

    `key` is that of the row to which it leads.
    """
    origin = request.GET.get(_PARAMETER, "")
    name, _, query = origin.partition("?")
    if name not in _LISTS or len(origin) > _LONGEST:
        return WayBack()
    title, address = _LISTS[name]
    # Encoded again: the filters may be any text, but the address stays one of the list.
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
    """Return the query that carries the list, which was shown with `query`, like "?status=failed"."""
    return f"?{urlencode({_PARAMETER: f'{name}{query}'})}"


def row_id(key: object) -> str:
    """Return the id of a row's link, to which the way back leads."""
    return f"row-{key}"


def is_at_queue(request: HttpRequest) -> bool:
    """Return whether the menu marks the queue: for its own pages, and for payments opened from it."""
    if _is_payments_page(request):
        return of(request).name == QUEUE
    return request.path.startswith(reverse("review_queue"))


def is_at_payments(request: HttpRequest) -> bool:
    return _is_payments_page(request) and of(request).name != QUEUE


def _is_payments_page(request: HttpRequest) -> bool:
    return request.path.startswith(reverse("admin:readmodels_paymentsummary_changelist"))
