"""API clients and their keys, which are made by `./manage.py create_api_key` and can be revoked here."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views import View
from unfold.admin import TabularInline
from unfold.decorators import display

from payments import actors, permissions
from payments.api.http.paths import uuid
from payments.clients import keys
from payments.clients.models import ApiKey, Client
from readmodels.admin.base import fragments
from readmodels.admin.base.browsing import BrowsingAdmin


class KeyInline(TabularInline):
    model = ApiKey
    fields = ("prefix", "scopes", "holder", "state", "last_used_at", "created_at")
    readonly_fields = (*fields, "end")
    extra = 0
    can_delete = False
    verbose_name_plural = "API keys"
    hide_title = True

    @display(description="Staff")
    def holder(self, row: ApiKey) -> str:
        return fragments.said(row.staff) if row.staff else "–"

    # As markup: unfold makes labels only in lists, not in inlines.
    @display(description="State")
    def state(self, row: ApiKey) -> str:
        return render_to_string("backoffice/parts/badges.html", {"badges": [_state(row)]})

    @display(description="Actions")
    def end(self, row: ApiKey) -> str:
        if row.revoked_at is not None:
            return "–"
        return format_html(
            '<a class="text-primary-600 dark:text-primary-400 underline" href="{}">Revoke…</a>',
            reverse("admin:key_revoke", args=[row.pk]),
        )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        may_end = permissions.holds(request.user, keys.MANAGE)
        return (*self.fields, "end") if may_end else self.fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _state(key: ApiKey) -> fragments.Badge:
    if key.revoked_at is not None:
        return fragments.Badge(f"revoked {key.revoked_at:%Y-%m-%d}", "danger")
    if key.expires_at is None:
        return fragments.Badge("live", "success")
    if key.expires_at <= timezone.now():
        return fragments.Badge(f"expired {key.expires_at:%Y-%m-%d}", "warning")
    return fragments.Badge(f"live until {key.expires_at:%Y-%m-%d}", "success")


@admin.register(Client)
class ClientAdmin(BrowsingAdmin):
    list_display = ("called", "id", "created_at")
    fields = ("name", "id", "created_at")
    readonly_fields = fields
    inlines = (KeyInline,)

    @display(description="Name")
    def called(self, row: Client) -> str:
        return fragments.said(row.name)

    def get_urls(self) -> list[URLPattern]:
        revoke = path(
            f"key/{uuid('key_id')}/revoke/",
            self.admin_site.admin_view(RevokeView.as_view(admin=self)),
            name="key_revoke",
        )
        return [revoke, *super().get_urls()]


class RevokeView(View):
    """Says what it means, and does it."""

    admin: Any = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, keys.MANAGE):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        key = get_object_or_404(ApiKey.objects.select_related("client"), pk=key_id)
        context = {
            **self.admin.admin_site.each_context(request),
            "title": f"Revoke {key.prefix}",
            "opts": self.admin.opts,
            "original": key.client,
            "key": key,
        }
        return TemplateResponse(request, "backoffice/revoke_key.html", context)

    def post(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        key = get_object_or_404(ApiKey, pk=key_id)
        keys.revoke(key, at=timezone.now(), by=actors.staff(int(request.user.pk or 0)))
        messages.success(
            request, f"{key.prefix} is revoked. The API refuses it within three seconds."
        )
        return HttpResponseRedirect(reverse("admin:clients_client_change", args=[key.client_id]))
