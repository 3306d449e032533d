"""API clients and their keys; keys are made by `manage.py create_api_key`, never on a screen."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import TabularInline
from unfold.decorators import display

from payments.clients.models import ApiKey, Client
from readmodels.admin.browsing import BrowsingAdmin


class KeyInline(TabularInline):
    model = ApiKey
    fields = ("prefix", "scopes", "staff", "state", "last_used_at", "created_at")
    readonly_fields = fields
    extra = 0
    can_delete = False
    verbose_name_plural = "API keys"
    hide_title = True

    @display(
        description="State", label={"live": "success", "revoked": "danger", "expired": "warning"}
    )
    def state(self, row: ApiKey) -> tuple[str, str]:
        if row.revoked_at is not None:
            return "revoked", f"revoked {row.revoked_at:%Y-%m-%d}"
        if row.expires_at is None:
            return "live", "live"
        if row.expires_at <= timezone.now():
            return "expired", f"expired {row.expires_at:%Y-%m-%d}"
        return "live", f"live until {row.expires_at:%Y-%m-%d}"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Client)
class ClientAdmin(BrowsingAdmin):
    list_display = ("name", "id", "created_at")
    fields = ("name", "id", "created_at")
    readonly_fields = fields
    inlines = (KeyInline,)
