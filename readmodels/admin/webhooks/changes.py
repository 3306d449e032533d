"""The buttons on an endpoint's page. Each sends a command, which Django's admin log records.

They are separate views, because Django's change form would show and write every column.
"""

from typing import Any, ClassVar, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views import View

from payments import permissions
from readmodels.admin.base import kept_text, requests
from readmodels.admin.webhooks.forms import NewEndpointForm, ReasonForm, SettingsForm
from readmodels.webhooks import addresses, endpoints, keys
from readmodels.webhooks.models import MOST_ENDPOINTS, Endpoint, State

_LONGEST_NAME: Final = 200  # of an object, in Django's admin log
_ENDPOINT_GONE: Final = "This endpoint was deleted in the meantime."


def may_manage(request: HttpRequest) -> bool:
    return permissions.holds(request.user, endpoints.MANAGE)


def record(request: HttpRequest, endpoint: Endpoint, change: str, *, flag: int = CHANGE) -> None:
    """Write to Django's admin log who changed the endpoint and how, without secrets."""
    LogEntry.objects.create(
        user_id=int(request.user.pk or 0),
        content_type=ContentType.objects.get_for_model(Endpoint),
        object_id=str(endpoint.pk),
        object_repr=str(endpoint)[:_LONGEST_NAME],
        action_flag=flag,
        change_message=change,
    )


def to_page(endpoint: Endpoint) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:webhooks_endpoint_change", args=[endpoint.pk]))


def to_list() -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:webhooks_endpoint_changelist"))


class EndpointView(View):
    """Base class of the buttons. `endpoint` is the page's endpoint. `command` names the button."""

    admin: Any = None
    command: ClassVar[str]
    endpoint: Endpoint

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may_manage(request):
            raise PermissionDenied
        found = Endpoint.objects.select_related("client").filter(pk=kwargs["endpoint_id"]).first()
        if found is None:
            raise Http404(f"There is no endpoint {kwargs['endpoint_id']}.")
        self.endpoint = found
        try:
            return super().dispatch(request, *args, **kwargs)
        except endpoints.EndpointGone:
            messages.warning(request, _ENDPOINT_GONE)
            return to_list()

    def form_page(
        self,
        request: HttpRequest,
        title: str,
        *,
        button: str,
        form: forms.Form | None = None,
        status: int = 200,
        **context: Any,
    ) -> HttpResponse:
        page: HttpResponse = self.admin.page(
            request,
            "backoffice/form.html",
            title=title,
            original=self.endpoint,
            status_code=status,
            button=button,
            form=form,
            back=reverse("admin:webhooks_endpoint_change", args=[self.endpoint.pk]),
            **context,
        )
        return page


class PauseView(EndpointView):
    command = "pause"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        if self.endpoint.state != State.ACTIVE:
            messages.error(
                request, f"This endpoint is {self.endpoint.state}. Only active ones can be paused."
            )
            return to_page(self.endpoint)
        with transaction.atomic():
            endpoints.pause(self.endpoint, at=timezone.now(), by=requests.actor(request))
            record(request, self.endpoint, "Paused")
        messages.success(request, "Paused. Events are kept until you resume.")
        return to_page(self.endpoint)


class ResumeView(EndpointView):
    """Resume a paused or disabled endpoint, or try a failing one at once."""

    command = "resume"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        state = self.endpoint.state
        with transaction.atomic():
            endpoints.resume(self.endpoint, at=timezone.now(), by=requests.actor(request))
            record(request, self.endpoint, f"Resumed ({state} before)")
        messages.success(request, "Resumed. The next delivery begins within a few seconds.")
        return to_page(self.endpoint)


class TestView(EndpointView):
    command = "test"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        with transaction.atomic():
            message_id = endpoints.request_test(
                self.endpoint, at=timezone.now(), by=requests.actor(request)
            )
            record(request, self.endpoint, f"Sent test {message_id}")
        messages.success(
            request, "A test message is sent within a few seconds. Reload this page for its result."
        )
        return to_page(self.endpoint)


class DisableView(EndpointView):
    """Ask for a reason, then disable the endpoint."""

    command = "disable"
    keeps: ClassVar = ("reason",)
    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        return self._page(request, ReasonForm())

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            return self._page(request, ReasonForm(initial=request.POST.dict()))
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        reason = form.cleaned_data["reason"]
        with transaction.atomic():
            by = requests.actor(request)
            endpoints.disable(self.endpoint, reason=reason, at=timezone.now(), by=by)
            record(request, self.endpoint, f"Disabled: {reason}")
        messages.success(request, "Disabled. Events are kept until you resume.")
        return to_page(self.endpoint)

    def _page(self, request: HttpRequest, form: ReasonForm) -> HttpResponse:
        text = (
            "Nothing is sent until this endpoint is resumed. Its events are kept. To stop it for a"
            " short time, pause it instead."
        )
        return self.form_page(
            request, "Disable endpoint", button="Disable", form=form, lines=[text], variant="danger"
        )


class RotateView(EndpointView):
    """Ask for confirmation, then replace the secret and show the new one once."""

    command = "rotate"
    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        return self._page(request)

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        try:
            with transaction.atomic():
                secret = endpoints.rotate_secret(
                    self.endpoint, at=timezone.now(), by=requests.actor(request)
                )
                record(request, self.endpoint, "Rotated the secret")
        except keys.NotConfigured as error:
            return self._page(request, refusal=str(error), status=409)
        return secret_page(self.admin, request, self.endpoint, secret)

    def _page(self, request: HttpRequest, *, refusal: str = "", status: int = 200) -> HttpResponse:
        lines = [
            "The new secret is shown once, on the next page. Give it to the client's developers.",
            "For 24 hours, messages are signed with both secrets. Then only the new one signs.",
        ]
        until = self.endpoint.old_secret_until
        if until is not None and until > timezone.now():
            lines.append(
                f"The secret was rotated already: the old one signs until {until:%Y-%m-%d %H:%M} UTC."
                " Rotating again replaces the newest secret, and keeps the old one for 24 more hours."
            )
        return self.form_page(
            request,
            "Rotate secret",
            button="Rotate secret",
            lines=lines,
            refusal=refusal,
            status=status,
        )


class EditView(EndpointView):
    """Change the settings. Unchanged fields keep values that a colleague may have stored since."""

    command = "edit"
    keeps: ClassVar = ("url", "description")
    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        return self._page(request, SettingsForm(initial=SettingsForm.values(self.endpoint)))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            typed = {name: request.POST.get(name, "") for name in self.keeps}
            initial = SettingsForm.values(self.endpoint) | typed
            return self._page(request, SettingsForm(initial=initial))
        form = SettingsForm(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        if not form.has_changed():
            messages.info(request, "Nothing was changed.")
            return to_page(self.endpoint)
        # No transaction here, because the use case looks up the host of a new URL.
        try:
            given = form.given(form.changed_data)
            endpoints.change(self.endpoint, given, at=timezone.now(), by=requests.actor(request))
        except (addresses.InvalidUrl, endpoints.UrlTaken) as error:
            form.add_error("url", str(error))
            return self._page(request, form)
        changed = ", ".join(str(form[name].label).lower() for name in form.changed_data)
        record(request, self.endpoint, f"Changed {changed}")
        messages.success(request, "Settings saved.")
        return to_page(self.endpoint)

    def _page(self, request: HttpRequest, form: SettingsForm) -> HttpResponse:
        return self.form_page(request, "Edit endpoint", button="Save", form=form)


class AddView(View):
    """Add an endpoint to a client, and show its secret once."""

    admin: Any = None
    keeps: ClassVar = ("client", "url", "description")
    http_method_names = ["get", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may_manage(request):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(request, NewEndpointForm(initial={"client": request.GET.get("client")}))

    def post(self, request: HttpRequest) -> HttpResponse:
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            return self._page(request, NewEndpointForm(initial=request.POST.dict()))
        form = NewEndpointForm(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        given = form.given([name for name in form.cleaned_data if name != "client"])
        client = form.cleaned_data["client"]
        # No transaction here, because the use case looks up the host of the URL.
        try:
            endpoint, secret = endpoints.create(
                client.pk, given, at=timezone.now(), by=requests.actor(request)
            )
        except endpoints.UrlTaken as error:
            form.add_error("url", f"{error} If you have just added it, rotate its secret.")
        except addresses.InvalidUrl as error:
            form.add_error("url", str(error))
        except endpoints.TooManyEndpoints:
            most = f"This client has {MOST_ENDPOINTS} endpoints already. Edit one of them"
            form.add_error("client", f"{most}, or let the client delete one over the API.")
        except keys.NotConfigured as error:
            form.add_error(None, str(error))
        else:
            record(request, endpoint, "Added", flag=ADDITION)
            return secret_page(self.admin, request, endpoint, secret)
        return self._page(request, form)

    def _page(self, request: HttpRequest, form: NewEndpointForm) -> HttpResponse:
        page: HttpResponse = self.admin.page(
            request,
            "backoffice/form.html",
            title="Add endpoint",
            original=None,
            form=form,
            button="Add",
            lines=["It receives the events that are recorded from now on."],
            back=reverse("admin:webhooks_endpoint_changelist"),
        )
        return page


def secret_page(admin: Any, request: HttpRequest, endpoint: Endpoint, secret: str) -> HttpResponse:
    """Show a new secret. No later page shows it, and browsers store no page of the back office."""
    page: HttpResponse = admin.page(
        request,
        "backoffice/webhooks/secret.html",
        title="New secret",
        original=endpoint,
        endpoint=endpoint,
        secret=secret,
    )
    return page
