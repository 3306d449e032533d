"""The page that screens show while the database, or the event log in it, cannot serve them."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from payments import outages
from payments.api.problems import handler
from payments.events.contradictions import LogContradicted

_TITLE: Final = "Not available at the moment"
_NOT_STORED: Final = (
    "Your last action may not have been stored. Check it when this page is back."
    " To keep what you typed, go back, and try again in a moment."
)
_CONTRADICTED: Final = (
    "Nothing was stored: an operator has to repair the event log. Try again later."
)


def page_of(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """Return the page for an outage, rendered without the database; None for any other error."""
    if isinstance(error, LogContradicted):
        return _page(request, _CONTRADICTED, handler.problem_of(error).headers["Retry-After"])
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
