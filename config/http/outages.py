"""The page that screens answer with while the database cannot serve them."""

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from payments import outages


class OutageMiddleware:
    """Answer outages that views raise. The API has its own answer; for sessions see config.browsers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return page(error)


def page(error: Exception) -> HttpResponse | None:
    """Return the page for an outage, made without the database; None for any other error."""
    outage = outages.of(error)
    if outage is None:
        return None
    outages.report(error, outage)
    content = render_to_string(
        "admin/outage.html",
        {"site_title": admin.site.site_title, "sentence": outage.sentence},
    )
    return HttpResponse(
        content,
        status=503,
        headers={"Retry-After": str(outage.retry_after), "Cache-Control": "no-store"},
    )
