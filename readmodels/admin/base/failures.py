"""The pages of failed requests, with the next step and the id of the request.

They use neither the database nor unfold, which may be the cause of the failure.
"""

from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

_TEXTS: Final = {
    400: ("The address cannot be read", "It asks for something that this page does not have."),
    403: ("Not permitted", "Your role does not include this page or action. Ask for another role."),
    404: ("Nothing here", "There is no page at this address, or what it showed does not exist."),
    500: ("Something failed", "It was recorded. If it fails again, report the id below."),
}
_BAD_REQUEST: Final = 400


def _page(status: int) -> Callable[..., HttpResponse]:
    title, text = _TEXTS[status]

    def page(request: HttpRequest, exception: Any = None) -> HttpResponse:  # noqa: ARG001 - Django asks for it
        context = {
            "title": title,
            "text": text,
            "request_id": request.META.get("HTTP_X_REQUEST_ID", ""),
            # The same list without its filters.
            "again": request.path if status == _BAD_REQUEST and request.method == "GET" else "",
            "again_label": "Open it without filters",
        }
        return render(request, "backoffice/failure.html", context, status=status)

    return page


bad_request, permission_denied, page_not_found, server_error = map(_page, sorted(_TEXTS))
