"""Staff accounts and their roles. An account that permanent records name can only be deactivated."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from readmodels.admin.base import fragments

_REFUSED = "Permanent records name this account. Deactivate it instead of deleting it."

admin.site.unregister(User)


@admin.register(User)
class StaffAdmin(UserAdmin, ModelAdmin):  # type: ignore[type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("called", "full_name", "roles", "is_active", "last_login")
    list_display_links = ("called",)
    actions = None  # Django's only action deletes

    @display(description="Username", ordering="username")
    def called(self, row: User) -> str:
        return fragments.foreign_text(row.username)

    @display(description="Name")
    def full_name(self, row: User) -> str:
        return fragments.foreign_text(row.get_full_name()) if row.get_full_name() else "–"

    @display(description="Roles")
    def roles(self, row: User) -> str:
        roles = ["superuser"] if row.is_superuser else []
        return ", ".join([*roles, *(group.name for group in row.groups.all())]) or "–"

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows: QuerySet[User] = super().get_queryset(request)
        return rows.prefetch_related("groups")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = bool(super().has_delete_permission(request, obj))
        return allowed and (obj is None or not _is_in_evidence(obj))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            answer: HttpResponse = super().delete_view(request, object_id, extra_context)
        except IntegrityError:  # a record was written after the page was opened
            messages.error(request, _REFUSED)
            return HttpResponseRedirect(reverse("admin:auth_user_change", args=[object_id]))
        return answer


def _is_in_evidence(user: User) -> bool:
    """Return whether the database refuses to delete the user, by the trigger's own function."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT staff_is_in_evidence(%s)", [user.pk])
        (found,) = cursor.fetchone()
    return bool(found)
