"""API clients and their keys."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.admin import TabularInline
from unfold.decorators import display

from payments import permissions
from payments.api.http.paths import uuid
from payments.clients import keys
from payments.clients.models import ApiKey, Client
from readmodels import labels
from readmodels.admin.account.asking import recently_verified
from readmodels.admin.base import fragments, kept_text, times
from readmodels.admin.base.browsing import BrowsingAdmin
from readmodels.admin.people import key_changes


class KeyInline(TabularInline):
    model = ApiKey
    fields = ("prefix", "purpose", "scopes", "holder", "state", "used", "created")
    readonly_fields = (*fields, "end")
    extra = 0
    can_delete = False
    verbose_name_plural = "API keys"
    hide_title = True

    @display(description="Label")
    def purpose(self, row: ApiKey) -> str:
        return fragments.foreign_text(row.label) if row.label else "–"

    @display(description="Staff")
    def holder(self, row: ApiKey) -> str:
        return fragments.foreign_text(row.staff) if row.staff else "–"

    @display(description="Last used (UTC)")
    def used(self, row: ApiKey) -> str:
        return times.moment(row.last_used_at) if row.last_used_at else "never"

    @display(description="Created (UTC)")
    def created(self, row: ApiKey) -> str:
        return times.moment(row.created_at)

    # Rendered here, because unfold renders labels in lists but not in inlines.
    @display(description="State")
    def state(self, row: ApiKey) -> str:
        return fragments.badges_html(_state(row))

    @display(description="Actions")
    def end(self, row: ApiKey) -> str:
        if row.revoked_at is not None:
            return "–"
        shown = ("rotate", "revoke") if row.is_live(timezone.now()) else ("revoke",)
        links = ((reverse(f"admin:key_{each}", args=[row.pk]), each.capitalize()) for each in shown)
        return format_html_join(" ", '<a class="link" href="{}">{}…</a>', links)

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
    list_title = "API clients"
    list_display = ("called", "id", "created")
    fields = ("name", "id", "created_utc")
    readonly_fields = (*fields, "webhooks", "new_key")
    inlines = (KeyInline,)
    empty_title = "No API clients yet"
    empty_text = "./manage.py create_api_key 'Acme Ltd' creates a client and its first key."

    @display(description="Name")
    def called(self, row: Client) -> str:
        return fragments.foreign_text(row.name)

    @display(description="Created (UTC)")
    def created(self, row: Client) -> str:
        return times.moment(row.created_at)

    @display(description="Created")
    def created_utc(self, row: Client) -> str:
        return times.utc(row.created_at)

    @display(description="Webhooks")
    def webhooks(self, row: Client) -> str:
        url = reverse("admin:webhooks_endpoint_changelist")
        return format_html('<a class="link" href="{}?client={}">Endpoints</a>', url, row.pk)

    @display(description="New API key")
    def new_key(self, row: Client) -> str:
        address = reverse("admin:key_create", args=[row.pk])
        return format_html('<a class="link" href="{}">Create API key…</a>', address)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        may_see = request.user.has_perm("webhooks.view_endpoint")
        may_create = permissions.holds(request.user, keys.MANAGE)
        return (
            *self.fields,
            *(("webhooks",) if may_see else ()),
            *(("new_key",) if may_create else ()),
        )

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        request.list_title = self.list_title  # type: ignore[attr-defined]
        client = self.get_object(request, object_id)
        title = {"title": labels.isolated(str(client))} if client else {}
        answer: HttpResponse = self.changeform_view(request, object_id, "", title)
        return answer

    def get_urls(self) -> list[URLPattern]:
        views = {
            f"{uuid('client_id')}/create-key/": ("key_create", key_changes.CreateView),
            f"key/{uuid('key_id')}/rotate/": ("key_rotate", key_changes.RotateView),
            f"key/{uuid('key_id')}/revoke/": ("key_revoke", key_changes.RevokeView),
        }
        own = [
            path(
                route,
                kept_text.keep_typed_text(
                    self.admin_site.admin_view(recently_verified(view.as_view(admin=self)))
                ),
                name=name,
            )
            for route, (name, view) in views.items()
        ]
        return [*own, *super().get_urls()]
