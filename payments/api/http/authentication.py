"""Authentication by API key, and the scope that a view needs."""

from typing import Any, Final, cast

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from payments.api.problems.problem import Problem
from payments.clients.keyring import LiveKey, keyring
from payments.clients.models import Scope

_SCHEME: Final = "bearer"


class BearerAuthentication(BaseAuthentication):
    """Find the key in `Authorization: Bearer sk_...`. The live key becomes `request.auth`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, LiveKey] | None:
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != _SCHEME:
            return None
        key = keyring.find(text.strip(), at=timezone.now())
        if key is None:
            raise AuthenticationFailed("The API key is unknown, expired or revoked.")
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="payments"'


def permitting(scopes: Scope | tuple[Scope, ...]) -> tuple[Scope, ...]:
    """Return the scopes as a tuple. A key needs at least one of them."""
    return scopes if isinstance(scopes, tuple) else (scopes,)


class HasScope(BasePermission):
    """Require one of the scopes that the view's `scopes` list for the HTTP method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        # HEAD reveals the headers of GET, so it needs the same scope.
        method = "GET" if request.method == "HEAD" else request.method
        needed = permitting(view.scopes.get(method, ()))
        if request.auth is None or not needed:
            # A request without a key gets a 401. A method without scopes is not served, so the view
            # answers with a 405.
            return request.auth is not None
        if not set(needed) & set(key_of(request).scopes):
            raise Problem(
                "permission_denied",
                f"This operation needs a key with the scope {' or '.join(needed)}.",
            )
        return True


def key_of(request: Request) -> LiveKey:
    """Return the live key of a request that HasScope has permitted."""
    return cast("LiveKey", request.auth)
