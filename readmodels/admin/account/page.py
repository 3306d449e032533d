"""Your account: the second factors and the sessions of the signed-in person."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from msgspec import Struct

from payments.identity import factors, sessions
from payments.identity.factors import LastFactor

# The first match decides, because the name that a browser sends contains other browsers' names.
_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


class ShownSession(Struct, frozen=True, kw_only=True):
    """A session as the page shows it. `id` identifies it in the form that ends it."""

    id: str
    device: str
    address: str
    began_at: datetime | None
    seen_at: datetime | None
    is_this: bool


def page(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    context = {
        "title": "Your account",
        "factors": factors.of(user),
        "is_required": factors.is_required(user),
        "demo": settings.EMBEDDED,
        "codes_in_all": factors.CODES,
        "sessions": list(_sessions(request)),
        "idle_minutes": settings.SESSION_IDLE_SECONDS // 60,
        "hours": settings.SESSION_COOKIE_AGE // 3_600,
    }
    return TemplateResponse(
        request,
        "backoffice/account/account.html",
        admin.site.each_context(request) | context,
    )


@require_POST
def remove_app(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    try:
        factors.remove_app(user, at=timezone.now())
    except LastFactor as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The authenticator app is removed.")
    return HttpResponseRedirect(reverse("account"))


@require_POST
def remove_passkey(request: HttpRequest, pk: int) -> HttpResponse:
    user: Any = request.user
    try:
        factors.remove_passkey(user, pk, at=timezone.now())
    except LastFactor as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The passkey is removed.")
    return HttpResponseRedirect(reverse("account"))


@require_POST
def end_session(request: HttpRequest, chosen: str) -> HttpResponse:
    if sessions.end(request.user, chosen):
        messages.success(request, "The session is signed out.")
    else:
        messages.info(request, "This session had ended already.")
    return HttpResponseRedirect(reverse("account"))


@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    ended = sessions.end_others(request)
    messages.success(request, f"Signed out of {ended} other session{'s'[: ended != 1]}.")
    return HttpResponseRedirect(reverse("account"))


def _sessions(request: HttpRequest) -> Iterator[ShownSession]:
    for each in sessions.open_sessions(request.user, at=timezone.now()):
        yield ShownSession(
            id=sessions.public_id(each.session_key),
            device=_device(each.browser),
            address=each.address,
            began_at=each.began_at,
            seen_at=each.seen_at,
            is_this=each.session_key == request.session.session_key,
        )


def _device(browser: str) -> str:
    """Return the browser and the operating system, as far as the user agent shows them."""
    name = next((label for part, label in _BROWSERS if part in browser), "Unknown browser")
    system = next((label for part, label in _SYSTEMS if part in browser), "unknown system")
    return f"{name} on {system}"
