"""The data that django-axes records about sign-ins.

It records a user name, an address and the user agent. Other request data can contain card numbers,
customers' names or text that the database refuses.
"""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

from axes.handlers.database import AxesDatabaseHandler
from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpRequest, QueryDict

from payments.domain.card_numbers import holds_card_number
from payments.pseudonyms import keyed_digest

_HASHED: Final = 12  # octets
_UNSPECIFIED: Final = "0.0.0.0"  # noqa: S104 - nothing is bound to it
_SUBNET: Final = 64  # bits; the owner of an IPv6 address usually has the whole network


def recorded_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """Return the typed name if a user has it, otherwise a keyed hash of it.

    People sometimes type their password, or a customer's name, as the user name. Unknown names stay distinct:
    with one common name for them, a lockout would reveal which names exist.
    """
    typed = str((credentials or request.POST).get("username") or "")
    if get_user_model().objects.filter(username=typed).exists():
        return typed
    return "unknown-" + keyed_digest("username", typed)[:_HASHED].hex()


def address(request: HttpRequest) -> str:
    """Return the client's address, or for IPv6 the address of its network.

    It is the address that the outermost of our `settings.PROXIES` proxies saw. Without proxies it
    is the connection's address, because clients can send any X-Forwarded-For. Values that are not
    addresses become 0.0.0.0, because axes does not reliably count failures without an address.
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
    """Return how logs name the client: without the address, which is personal data."""
    return username


class Handler(AxesDatabaseHandler):  # type: ignore[misc]  # axes has no types
    """Record attempts without data that must not be stored."""

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
    """A request as axes sees it: without form data. Attributes that axes sets reach the real request."""

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


def _without_port(text: str) -> str:
    """Return the address without the port that some proxies add: 192.0.2.1:443, [2001:db8::1]:443."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
