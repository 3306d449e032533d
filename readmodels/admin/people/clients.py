"""API clients and their keys. `./manage.py create_api_key` creates keys, these pages revoke them."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views import View
from unfold.admin import TabularInline
from unfold.decorators import display

from payments import permissions
from payments.api.http.paths import uuid
from payments.clients import keys
from payments.clients.models import ApiKey, Client
from readmodels.admin.base import fragments, requests
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
        return fragments.foreign_text(row.staff) if row.staff else "–"

    # Rendered here, because unfold makes labels in lists only, not in inlines.
    @display(description="State")
    def state(self, row: ApiKey) -> str:
        return render_to_string("backoffice/parts/badges.html", {"badges": [_state(row)]})

    @display(description="Actions")
    def end(self, row: ApiKey) -> str:
        if row.revoked_at is not None:
            return "–"
        return format_html(
            '<a class="link" href="{}">Revoke…</a>',
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
    readonly_fields = (*fields, "webhooks")
    inlines = (KeyInline,)

    @display(description="Name")
    def called(self, row: Client) -> str:
        return fragments.foreign_text(row.name)

    @display(description="Webhooks")
    def webhooks(self, row: Client) -> str:
        url = reverse("admin:webhooks_endpoint_changelist")
        return format_html('<a class="link" href="{}?client={}">Endpoints</a>', url, row.pk)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        may_see = request.user.has_perm("webhooks.view_endpoint")
        return (*self.fields, "webhooks") if may_see else self.fields

    def get_urls(self) -> list[URLPattern]:
        revoke = path(
            f"key/{uuid('key_id')}/revoke/",
            self.admin_site.admin_view(RevokeView.as_view(admin=self)),
            name="key_revoke",
        )
        return [revoke, *super().get_urls()]


class RevokeView(View):
    """Ask for confirmation, then revoke the key."""

    admin: Any = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, keys.MANAGE):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        key = get_object_or_404(ApiKey.objects.select_related("client"), pk=key_id)
        page: HttpResponse = self.admin.page(
            request,
            "backoffice/revoke_key.html",
            title=f"Revoke {key.prefix}",
            original=key.client,
            key=key,
        )
        return page

    def post(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        key = get_object_or_404(ApiKey, pk=key_id)
        keys.revoke(key, at=timezone.now(), by=requests.actor(request))
        messages.success(
            request, f"{key.prefix} is revoked. The API refuses it within three seconds."
        )
        return HttpResponseRedirect(reverse("admin:clients_client_change", args=[key.client_id]))
