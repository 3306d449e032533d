"""Ask for a second factor, and set one up."""

from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth import logout
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.debug import sensitive_post_parameters

from config.http import lockout
from payments.identity import factors, signing_in
from payments.identity.factors import AlreadyAdded, TooManyWrongCodes, WrongCode
from readmodels.admin.account import asking, pages
from readmodels.admin.account.pages import CodeForm


@method_decorator(sensitive_post_parameters(), name="dispatch")
class ProveView(View):
    """Ask for a code or a passkey."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if _is_done(request):
            return asking.proceed(request)
        return self._page(request, CodeForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        user: Any = request.user
        now = timezone.now()
        if _is_done(request):
            return asking.proceed(request)  # a passkey proved it before the form was sent
        if not AxesProxyHandler.is_allowed(request, _credentials(request)):
            return lockout.page(request, HttpResponse(), {})
        form = CodeForm(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        try:
            device = factors.verify(user, form.cleaned_data["code"], at=now)
        except WrongCode as error:
            form.add_error("code", str(error))
            answer = self._page(request, form)
            if not isinstance(error, TooManyWrongCodes):
                _count_failure(request)
            return answer
        signing_in.prove(request, device, at=now)
        return asking.proceed(request)

    def _page(self, request: HttpRequest, form: CodeForm) -> HttpResponse:
        kept = request.POST.get("kept", "")
        return pages.prove(request, form, next_page=asking.target(request), kept=kept)


@method_decorator(sensitive_post_parameters(), name="dispatch")
class SetUpView(View):
    """Add an authenticator app or a passkey, then show the recovery codes."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        user: Any = request.user
        # A password alone must not add a factor to an account that has one.
        if factors.is_enrolled(user) and not signing_in.is_proved(request, at=timezone.now()):
            return asking.ask(request)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return pages.set_up(request, CodeForm(), next_page=asking.target(request))

    def post(self, request: HttpRequest) -> HttpResponse:
        user: Any = request.user
        form, now = CodeForm(request.POST), timezone.now()
        secret = request.session.get(pages.NEW_SECRET, "")
        # No secret: the form was sent twice. No code: the person has just added a passkey instead.
        if not secret or (user.is_verified() and not request.POST.get("code")):
            return self._finish(request)
        try:
            signing_in.add_app(request, secret, form.data.get("code", ""), at=now)
        except (WrongCode, AlreadyAdded) as error:
            form.add_error("code", str(error))
            shown = {"next_page": asking.target(request), "kept": request.POST.get("kept", "")}
            return pages.set_up(request, form, **shown)
        del request.session[pages.NEW_SECRET]
        return self._finish(request)

    def _finish(self, request: HttpRequest) -> HttpResponse:
        user: Any = request.user
        found = factors.of(user)
        if found.codes or not found.is_enrolled:
            return asking.proceed(request)
        kept = request.POST.get("kept", "")
        return pages.recovery_codes(request, next_page=asking.target(request), kept=kept)


class CodesView(View):
    """Replace the recovery codes, and show the new ones once."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        user: Any = request.user
        if not factors.is_enrolled(user):
            return asking.proceed(request)
        return pages.recovery_codes(request, next_page=asking.target(request))


def _is_done(request: HttpRequest) -> bool:
    """Return whether the session has proved a factor, or the person neither has nor needs one."""
    user: Any = request.user
    if signing_in.is_proved(request, at=timezone.now()):
        return True
    return not signing_in.is_factor_missing(request) and not factors.is_enrolled(user)


def _credentials(request: HttpRequest) -> dict[str, str]:
    return {"username": request.user.get_username()}


def _count_failure(request: HttpRequest) -> None:
    """Count the wrong code as a failed sign-in. If that locks the user out, end the session."""
    user_login_failed.send(sender=__name__, credentials=_credentials(request), request=request)
    if getattr(request, "axes_locked_out", False):
        logout(request)  # AxesMiddleware then shows the lockout page
