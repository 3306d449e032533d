"""The page that screens answer with while the database, or the event log in it, cannot serve them."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from payments import outages
from payments.api.problems import handler
from payments.events.contradictions import LogContradicted

_TITLE: Final = "Not available at the moment"
_NOT_STORED: Final = (
    "Nothing that you sent was stored, unless the page says so when it is back."
    " Try again in a moment: go back to keep what you typed."
)
_CONTRADICTED: Final = (
    "Nothing was stored: an operator has to repair the event log. Try again later."
)


class OutageMiddleware:
    """Answer outages that views raise. The API has its own answer; for sessions see config.http.browsers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, LogContradicted):
            return _page(request, _CONTRADICTED, handler.problem_of(error).headers["Retry-After"])
        return page(request, error)


def page(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """Return the page for an outage, made without the database; None for any other error."""
    outage = outages.of(error)
    if outage is None:
        return None
    outages.report(error, outage)
    return _page(request, f"{outage.sentence} {_NOT_STORED}", str(outage.retry_after))


def _page(request: HttpRequest, text: str, retry_after: str) -> HttpResponse:
    context = {
        "title": _TITLE,
        "text": text,
        "again": request.get_full_path(),
        "again_label": "Reload this page",
        "request_id": request.META.get("HTTP_X_REQUEST_ID", ""),
    }
    return HttpResponse(
        render_to_string("backoffice/failure.html", context),
        status=503,
        headers={"Retry-After": retry_after, "Cache-Control": "no-store"},
    )
