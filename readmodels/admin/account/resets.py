"""Requests to reset a colleague's second factor, which another person must approve."""

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views import View
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from payments import permissions
from payments.api.http.paths import uuid
from payments.identity import resets
from payments.identity.models import FactorReset, Reason
from payments.identity.resets import ResetRefused
from readmodels import labels
from readmodels.admin.account.asking import recently_verified
from readmodels.admin.base import fragments, requests
from readmodels.admin.base.browsing import BrowsingAdmin


class AskForm(forms.Form):
    username = forms.CharField(
        max_length=150,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
        help_text="The colleague who can no longer use their second factor. Make sure that the"
        " request is theirs, for example by a call.",
    )
    reason = forms.ChoiceField(
        choices=[("", "Choose a reason"), *Reason.choices], widget=UnfoldAdminSelectWidget
    )

    def clean_username(self) -> User:
        typed: str = self.cleaned_data["username"]
        found = User.objects.filter(username=typed, is_staff=True).first()
        if found is None:
            raise forms.ValidationError("There is no member of staff with this username.")
        return found


class _ResetView(View):
    """Base class of the views for resets."""

    admin: Any = None
    permission: ClassVar[str] = resets.RESET

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, self.permission):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)


class AskView(_ResetView):
    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(request, AskForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = AskForm(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        staff = form.cleaned_data["username"]
        reason = Reason(form.cleaned_data["reason"])
        try:
            resets.ask(staff, reason, by=requests.actor(request), at=timezone.now())
        except ResetRefused as error:
            form.add_error(None, str(error))
            return self._page(request, form)
        messages.success(request, "Requested. Another person with this right must approve it.")
        return HttpResponseRedirect(_list())

    def _page(self, request: HttpRequest, form: AskForm) -> HttpResponse:
        found: HttpResponse = self.admin.page(
            request,
            "backoffice/form.html",
            title="Request a reset",
            original=None,
            form=form,
            button="Request",
            back=_list(),
            lines=(
                "After the approval, the next sign-in asks your colleague for a new second factor.",
            ),
        )
        return found


class DecideView(_ResetView):
    """Show a request, and approve or decline it."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, reset_id: UUID) -> HttpResponse:
        reset = get_object_or_404(
            FactorReset.objects.select_related("staff", "asked_by"), pk=reset_id
        )
        found: HttpResponse = self.admin.page(
            request,
            "backoffice/account/reset.html",
            title=f"Reset for {labels.isolated(str(reset.staff))}",
            original=None,
            reset=reset,
            is_own=reset.asked_by_id == request.user.pk,
            back=_list(),
        )
        return found

    def post(self, request: HttpRequest, reset_id: UUID) -> HttpResponse:
        approves = request.POST.get("decision") == "approve"
        decide = resets.approve if approves else resets.decline
        try:
            reset = decide(reset_id, by=requests.actor(request), at=timezone.now())
        except ResetRefused as error:
            messages.error(request, str(error))
        else:
            done = (
                f"The second factor is reset for {reset.staff}."
                if approves
                else f"The reset request for {reset.staff} was declined."
            )
            messages.success(request, done)
        return HttpResponseRedirect(_list())


@admin.register(FactorReset)
class FactorResetAdmin(BrowsingAdmin):
    keyset = ("asked_at", "id")
    list_title = "Second-factor resets"
    list_display = ("who", "why", "asked", "asker", "state")
    list_select_related = ("staff", "asked_by", "decided_by")
    has_pages = False
    change_list_template = "backoffice/account/resets.html"

    @display(description="Colleague")
    def who(self, row: FactorReset) -> str:
        return fragments.foreign_text(row.staff)

    @display(description="Reason")
    def why(self, row: FactorReset) -> str:
        return row.get_reason_display()

    @display(description="Requested (UTC)")
    def asked(self, row: FactorReset) -> str:
        return f"{row.asked_at:%Y-%m-%d %H:%M}"

    @display(description="By")
    def asker(self, row: FactorReset) -> str:
        return fragments.foreign_text(row.asked_by)

    @display(description="State")
    def state(self, row: FactorReset) -> str:
        if row.decided_at is None:
            url = reverse("admin:factor_reset_decide", args=[row.pk])
            return format_html('<a class="link" href="{}">Waits for approval</a>', url)
        outcome = "approved" if row.approved else "declined"
        return fragments.foreign_text(f"{outcome} by {row.decided_by}")

    def get_urls(self) -> list[URLPattern]:
        views = {"ask/": ("ask", AskView), f"{uuid('reset_id')}/decide/": ("decide", DecideView)}
        own = [
            path(
                route,
                self.admin_site.admin_view(recently_verified(view.as_view(admin=self))),
                name=f"factor_reset_{name}",
            )
            for route, (name, view) in views.items()
        ]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_reset = permissions.holds(request.user, resets.RESET)
        return super().changelist_view(request, {**(extra_context or {}), "may_reset": may_reset})


def _list() -> str:
    return reverse("admin:identity_factorreset_changelist")
