"""The error pages for failed requests, with the next step and the request id.

They use neither the database nor unfold, because either may have caused the failure.
"""

from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

_TEXTS: Final = {
    400: ("Invalid address", "This page does not support a parameter in the address."),
    403: (
        "Not permitted",
        "Your role does not include this. Ask an administrator for another role.",
    ),
    404: ("Page not found", "There is no page at this address, or its item does not exist."),
    500: (
        "Something went wrong",
        "The error was recorded. If it happens again, report this id.",
    ),
}
_BAD_REQUEST: Final = 400


def _page(status: int) -> Callable[..., HttpResponse]:
    title, text = _TEXTS[status]

    def page(request: HttpRequest, exception: Any = None) -> HttpResponse:  # noqa: ARG001 - part of Django's signature
        context = {
            "title": title,
            "text": text,
            "request_id": request.META.get("HTTP_X_REQUEST_ID", ""),
            # The URL of the same list without its filters.
            "again": request.path if status == _BAD_REQUEST and request.method == "GET" else "",
            "again_label": "Open the list without filters",
        }
        return render(request, "backoffice/failure.html", context, status=status)

    return page


bad_request, permission_denied, page_not_found, server_error = map(_page, sorted(_TEXTS))
