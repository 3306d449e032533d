"""Close the back office to sessions without the second factor, or with a password to change.

Each request that a person makes lets the session last longer. Requests of pages themselves do not.
"""

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from config.http import outage_pages
from payments.identity import sessions, signing_in
from readmodels.admin.account import asking

# The pages that a session without the second factor reaches, by the names of their addresses.
OPEN: Final = frozenset(
    {
        "admin:logout",
        "second_factor",
        "second_factor_set_up",
        "passkey_add_begin",
        "passkey_add",
        "passkey_use_begin",
        "passkey_use",
    }
)
_PASSWORD_PAGES: Final = frozenset({"password_change", "admin:password_change_done"})


# Requests that pages make by themselves: by a script, or by the header Refresh with this parameter.
_POLLS: Final = frozenset({"queue_poll"})
AUTOMATIC: Final = "automatic"


class SecondFactorMiddleware:
    """Check each request with a session, before its view. API requests have no session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any
    ) -> HttpResponse | None:
        if not hasattr(request, "user") or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        try:
            return self._check(request)
        except DatabaseError as error:
            answer = outage_pages.page_of(request, error)
            if answer is None:
                raise
            return answer

    def _check(self, request: HttpRequest) -> HttpResponse | None:
        match = request.resolver_match
        name = match.view_name if match else ""
        if not request.user.is_authenticated:
            return None
        if name not in _POLLS and AUTOMATIC not in request.GET:
            sessions.touch(request, at=timezone.now())
        if name in OPEN:
            return None
        if signing_in.is_factor_missing(request):
            return asking.ask(request)
        if signing_in.must_change_password(request) and name not in _PASSWORD_PAGES:
            return HttpResponseRedirect(reverse("password_change"))
        return None
