"""Who signed in and who failed to, as axes records it, and what those are told who failed too often."""

from typing import Any, ClassVar

from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from unfold.contrib.filters.admin import TextFilter
from unfold.decorators import display

from readmodels.admin.browsing import BrowsingAdmin


class NameFilter(TextFilter):
    title = "username"
    parameter_name = "username"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        name = (self.value() or "").strip()
        if not name:
            return queryset
        return queryset.filter(username=name) if name.isprintable() else queryset.none()


class _Recorded(BrowsingAdmin):
    title: ClassVar[str]
    change_list_template = "admin/sign_ins.html"
    has_pages = False
    list_filter: ClassVar = (NameFilter,)

    @display(description="When (UTC)")
    def when(self, row: AccessLog | AccessAttempt) -> str:
        return f"{row.attempt_time:%Y-%m-%d %H:%M:%S}"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "title": self.title})


@admin.register(AccessLog)
class SignInAdmin(_Recorded):
    title = "Sign-ins"
    list_display = ("when", "username", "ip_address", "signed_out", "user_agent")

    @display(description="Signed out (UTC)")
    def signed_out(self, row: AccessLog) -> str:
        return f"{row.logout_time:%Y-%m-%d %H:%M:%S}" if row.logout_time else "–"


@admin.register(AccessAttempt)
class FailedSignInAdmin(_Recorded):
    """Those since the last success; axes forgets them when the lock that they lead to has ended."""

    title = "Failed sign-ins"
    list_display = ("when", "username", "ip_address", "failures_since_start", "user_agent")


def locked_out(request: HttpRequest, _answer: HttpResponse, _who: dict[str, Any]) -> HttpResponse:
    """The answer to whoever has failed too often."""
    wait = settings.AXES_COOLOFF_TIME
    context = admin.site.each_context(request) | {
        "failures": settings.AXES_FAILURE_LIMIT,
        "minutes": wait.seconds // 60,
    }
    answer = render(request, "admin/locked_out.html", context, status=429)
    answer["Retry-After"] = str(wait.seconds)
    return answer
