"""Under which name and address an attempt to sign in is recorded."""

from ipaddress import ip_address
from typing import Any, Final, cast

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from payments.pseudonyms import keyed_digest

_HASHED: Final = 12  # octets


def recorded_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """The name that was typed if somebody has it, otherwise a keyed hash of it.

    People type their password, or a customer's name, where their own belongs. Told apart from each
    other all the same: were all unknown names one, whoever is locked out would learn which are known.
    """
    typed = str((credentials or request.POST).get("username") or "")
    if get_user_model().objects.filter(username=typed).exists():
        return typed
    return "unknown-" + keyed_digest("username", typed)[:_HASHED].hex()


def address(request: HttpRequest) -> str | None:
    """What the outermost of our NUM_PROXIES proxies saw, None if that is no address.

    Without proxies whoever is connected: in X-Forwarded-For anybody can write what they like.
    """
    try:
        return str(ip_address(BaseThrottle().get_ident(cast("Request", request))))
    except ValueError:
        return None
