"""Close the back office to sessions that lack the second factor or must change the password.

Each request by a person extends the session. Requests that a page sends by itself do not.
"""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from payments.identity import sessions, signing_in
from readmodels.admin.account import asking

# The URL names of the pages that a session without the second factor may open.
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


# A page sends these requests by itself: a script polls, or the header Refresh adds this parameter.
_POLLS: Final = frozenset({"queue_poll"})
AUTOMATIC: Final = "automatic"


def check(request: HttpRequest) -> HttpResponse | None:
    """Return the page to show instead, or None if the session may open the requested one."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES or not request.user.is_authenticated:
        return None
    match = request.resolver_match
    name = match.view_name if match else ""
    if name not in _POLLS and AUTOMATIC not in request.GET:
        sessions.touch(request, at=timezone.now())
    if name in OPEN:
        return None
    if signing_in.is_factor_missing(request):
        return asking.ask(request)
    if signing_in.must_change_password(request) and name not in _PASSWORD_PAGES:
        return HttpResponseRedirect(reverse("password_change"))
    return None
