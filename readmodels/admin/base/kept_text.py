"""Keep the text that staff typed if their session has ended or the CSRF token is out of date.

The response carries the text, signed, through the sign-in page back into the form. The server neither stores
the text nor acts on it: people see the form again and send it. The form names its author (authors.py),
because another person may sign in on the same browser.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import admin, messages
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import Resolver404, resolve, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import requires_csrf_token
from django.views.decorators.debug import sensitive_post_parameters

from readmodels.admin.base.authors import FIELD as AUTHOR, author_of

# The value of `keeps` for a view whose form has a variable number of fields.
ALL_FIELDS: Final = ("*",)
NOT_SENT: Final = "Your text was not sent. Check it and send it again."
_OF_ANOTHER: Final = "The text was discarded, because another person typed it."
_SALT: Final = "kept"
_FIELD: Final = "kept"
_RESTORE: Final = "restore"
_CSRF: Final = "csrfmiddlewaretoken"
_MAX_AGE_SECONDS: Final = 24 * 60 * 60


def is_restored(request: HttpRequest) -> bool:
    """Return whether the request only puts the kept text back into the form."""
    return _RESTORE in request.POST


def keep_typed_text(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Return a view that shows the sign-in page and keeps the typed text if the session has ended.

    Apply it outside `admin_view`, which would redirect and lose the text.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and not admin.site.has_permission(request):
            text = typed(request)
            if text:
                return _sign_in_page(request, text, next_page=request.get_full_path())
        return view(request, *args, **kwargs)

    return answer


@never_cache
@sensitive_post_parameters()
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show Django's sign-in page. After the sign-in, offer the way back to the kept text."""
    text = request.POST.get(_FIELD, "")
    answer: HttpResponse = admin.site.login(request, extra_context={"kept": text})
    if not isinstance(answer, HttpResponseRedirect):
        return answer
    back = read(request, text)
    if back is None:
        if _is_of_another(request, text):
            messages.warning(request, _OF_ANOTHER)
        return answer
    context = {"back": back, "reason": "You are signed in, and your text is still here."}
    return render(request, "backoffice/kept_text.html", admin.site.each_context(request) | context)


@requires_csrf_token
def csrf_failure(request: HttpRequest, **_: str) -> HttpResponse:
    """Show the next step after a refused form. Keep its text if one of our pages sent it."""
    if request.path == reverse("admin:login"):
        text = request.POST.get(_FIELD, "") if _is_ours(request) else ""
        return _sign_in_page(request, text, next_page=request.GET.get("next", ""))
    text = typed(request) if _is_ours(request) else ""
    reason = "This page was out of date, perhaps because you signed in again in another tab."
    context = {
        "back": read(request, text),
        "reason": f"{reason} {_OF_ANOTHER}" if _is_of_another(request, text) else reason,
        "title": "Nothing was sent",
        "request_id": request.META.get("HTTP_X_REQUEST_ID", ""),
    }
    return render(
        request, "backoffice/kept_text.html", admin.site.each_context(request) | context, status=403
    )


def _sign_in_page(request: HttpRequest, text: str, *, next_page: str) -> HttpResponse:
    form = admin.site.login_form
    assert form is not None, "unfold sets a login form"  # noqa: S101
    query = urlencode({"next": next_page or reverse("admin:index")})
    context = {
        "title": "Sign in",
        "form": form(request),
        "app_path": f"{reverse('admin:login')}?{query}",
        "kept": text,
        "kept_reason": "Your session has ended. Nothing was sent." if text else "",
    }
    return render(
        request, "admin/login.html", admin.site.each_context(request) | context, status=403
    )


def typed(request: HttpRequest) -> str:
    """Return the kept fields as signed text, or "" if they are blank or the author is unknown."""
    try:
        names = _names(resolve(request.path_info).func)
    except Resolver404:
        return ""
    if names == ALL_FIELDS:
        names = tuple(name for name in request.POST if name not in {_CSRF, AUTHOR})
    fields = {name: request.POST[name] for name in names if request.POST.get(name, "").strip()}
    author = request.POST.get(AUTHOR, "")
    if not fields or author_of(author) is None:
        return ""
    fields[AUTHOR] = author
    # The form is later posted to this path, which is safe: it resolved to one of our views.
    return signing.dumps({"path": request.path, "fields": fields}, salt=_SALT, compress=True)


def read(request: HttpRequest, text: str) -> dict[str, Any] | None:
    """Return the kept text, or None if it is invalid or the signed-in person is not its author."""
    return None if _is_of_another(request, text) else _loaded(text)


def _is_of_another(request: HttpRequest, text: str) -> bool:
    found = _loaded(text)
    if found is None or not request.user.is_authenticated:
        return False
    return author_of(found["fields"].get(AUTHOR, "")) != str(request.user.pk)


def _loaded(text: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = signing.loads(text, salt=_SALT, max_age=_MAX_AGE_SECONDS)
    except signing.BadSignature:
        return None
    return found


def _names(view: Any) -> tuple[str, ...]:
    return getattr(getattr(view, "view_class", None), "keeps", ())


def _is_ours(request: HttpRequest) -> bool:
    """Return whether one of our pages sent the form. Texts from other sites are not kept."""
    origin = request.headers.get("Origin") or request.headers.get("Referer") or ""
    return urlsplit(origin).netloc == request.get_host() or origin in settings.CSRF_TRUSTED_ORIGINS
