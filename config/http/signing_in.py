"""What django-axes records of attempts to sign in, and what it answers to whoever failed too often.

It records a name and an address, and what the browser calls itself. What else was sent could be
anything: a card number, a customer's name, what no database takes.
"""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

from axes.handlers.database import AxesDatabaseHandler
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render

from payments.domain.card_numbers import holds_card_number
from payments.pseudonyms import keyed_digest

_HASHED: Final = 12  # octets
_UNSPECIFIED: Final = "0.0.0.0"  # noqa: S104 - nothing is bound to it
_SUBNET: Final = 64  # bits; whoever has one IPv6 address has all of such a network


def recorded_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """The name that was typed if somebody has it, otherwise a keyed hash of it.

    People type their password, or a customer's name, where their own belongs. Told apart from each
    other all the same: were all unknown names one, whoever is locked out would learn which are known.
    """
    typed = str((credentials or request.POST).get("username") or "")
    if get_user_model().objects.filter(username=typed).exists():
        return typed
    return "unknown-" + keyed_digest("username", typed)[:_HASHED].hex()


def address(request: HttpRequest) -> str:
    """What the outermost of our `settings.PROXIES` proxies saw, of IPv6 the network.

    Without proxies whoever is connected: in X-Forwarded-For anybody can write what they like. What is no
    address is all the same one: axes does not count failures without an address reliably.
    """
    seen: str = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < settings.PROXIES <= len(forwarded):
        seen = forwarded[-settings.PROXIES]
    try:
        found = ip_address(_without_port(seen.strip()))
    except ValueError:
        return _UNSPECIFIED
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ip_network((found.packed, _SUBNET), strict=False).network_address)
    return str(found)


def in_logs(username: str, *_: object) -> str:
    """Not the address, which is personal."""
    return username


class Handler(AxesDatabaseHandler):  # type: ignore[misc]  # axes has no types
    def user_login_failed(
        self,
        sender: object,
        credentials: dict[str, Any],
        request: HttpRequest | None = None,
        **more: Any,
    ) -> None:
        if request is not None:
            super().user_login_failed(sender, credentials, _Recorded(request), **more)

    def user_logged_in(self, sender: object, request: HttpRequest, user: Any, **more: Any) -> None:
        super().user_logged_in(sender, _Recorded(request), user, **more)


class _Recorded:
    """A request with nothing in it but what is recorded; what axes tells it the request knows, too."""

    GET = POST = QueryDict()

    def __init__(self, request: Any) -> None:
        request.axes_http_accept = ""
        if holds_card_number(request.axes_user_agent):
            request.axes_user_agent = ""
        vars(self)["_request"] = request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._request, name, value)


def locked_out(request: HttpRequest, _answer: HttpResponse, _who: dict[str, Any]) -> HttpResponse:
    wait = settings.AXES_COOLOFF_TIME
    context = admin.site.each_context(request) | {
        "failures": settings.AXES_FAILURE_LIMIT,
        "minutes": wait.seconds // 60,
    }
    answer = render(request, "backoffice/locked_out.html", context, status=429)
    answer["Retry-After"] = str(wait.seconds)
    return answer


def _without_port(text: str) -> str:
    """Some proxies write 192.0.2.1:443 and [2001:db8::1]:443."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
