"""Successful and failed sign-ins, as django-axes records them."""

from typing import Any, ClassVar

from axes.models import AccessFailureLog, AccessLog
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from readmodels.admin.base import fragments, times
from readmodels.admin.base.browsing import BrowsingAdmin
from readmodels.admin.base.filters import TypedFilter


class NameFilter(TypedFilter):
    title = "username"
    parameter_name = "username"


class _Recorded(BrowsingAdmin):
    """Base class of both lists. Rows never change, except that a sign-out adds its time."""

    title: ClassVar[str]
    change_list_template = "backoffice/sign_ins.html"
    has_pages = False
    list_filter: ClassVar = (NameFilter,)

    @display(description="When (UTC)")
    def when(self, row: AccessLog | AccessFailureLog) -> str:
        return times.moment(row.attempt_time)

    @display(description="Username")
    def who(self, row: AccessLog | AccessFailureLog) -> str:
        return fragments.foreign_text(row.username)

    @display(description="Browser")
    def browser(self, row: AccessLog | AccessFailureLog) -> str:
        return fragments.foreign_text(row.user_agent)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "title": self.title})


@admin.register(AccessLog)
class SignInAdmin(_Recorded):
    title = "Sign-ins"
    list_display = ("when", "who", "ip_address", "signed_out", "browser")
    empty_title = "No sign-ins yet"
    empty_text = "Each sign-in to the back office appears here."

    @display(description="Signed out (UTC)")
    def signed_out(self, row: AccessLog) -> str:
        return times.moment(row.logout_time) if row.logout_time else "–"


@admin.register(AccessFailureLog)
class FailedSignInAdmin(_Recorded):
    title = "Failed sign-ins"
    list_display = ("when", "who", "ip_address", "state", "browser")
    empty_title = "No failed sign-ins"
    empty_text = "Each sign-in with a wrong password appears here."

    @display(description="State", label={"locked out": "danger"})
    def state(self, row: AccessFailureLog) -> str | None:
        return "locked out" if row.locked_out else None
