"""Ask for the second factor before a page. Afterwards, the typed text is in its form again."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from payments.identity import signing_in
from readmodels.admin.account import pages
from readmodels.admin.base import kept_text


def recently_verified(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Return a view that asks for the second factor again unless it was proved recently.

    Apply it inside `admin_view`. For a class-based view, apply it to the result of `as_view`.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if signing_in.needs_proof(request, at=timezone.now()):
            return ask(request)
        return view(request, *args, **kwargs)

    return answer


def ask(request: HttpRequest) -> HttpResponse:
    """Return the page that asks for the second factor. It keeps text typed in the request."""
    text = kept_text.typed(request) if request.method == "POST" else ""
    if text:
        return pages.prove(
            request, pages.CodeForm(), next_page=request.get_full_path(), kept=text, status=403
        )
    query = urlencode({pages.NEXT: _came_from(request)})
    return HttpResponseRedirect(f"{reverse('second_factor')}?{query}")


def proceed(request: HttpRequest) -> HttpResponse:
    """Return to the form with its typed text, or else to the page that asked for the factor."""
    back = kept_text.read(request, request.POST.get("kept", ""))
    if back is None:
        return HttpResponseRedirect(target(request))
    context = {
        "title": "Confirmed",
        "back": back,
        "reason": "Your identity is confirmed, and your text is still here.",
    }
    return render(request, "backoffice/kept_text.html", admin.site.each_context(request) | context)


def target(request: HttpRequest) -> str:
    """Return the URL in `next` if it is one of ours, otherwise the URL of the dashboard."""
    given = request.GET.get(pages.NEXT, "")
    is_ours = url_has_allowed_host_and_scheme(
        given, {request.get_host()}, require_https=request.is_secure()
    )
    return given if is_ours else reverse("admin:index")


def _came_from(request: HttpRequest) -> str:
    """Return the URL to show afterwards. For a button, this is the URL of its page."""
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    referer = urlsplit(request.headers.get("Referer", ""))
    if referer.netloc != request.get_host():
        return reverse("admin:index")
    return f"{referer.path}?{referer.query}" if referer.query else referer.path
