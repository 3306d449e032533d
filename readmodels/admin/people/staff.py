"""Staff: who has an account and which role, and the record of every change.

An account that is named in permanent records can only be deactivated.
"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from unfold.decorators import display

from payments import actors, permissions
from readmodels import labels
from readmodels.admin.base import fragments, requests, times
from readmodels.admin.base.browsing import BrowsingAdmin
from readmodels.admin.base.filters import OneOf, TypedFilter
from readmodels.admin.people import staff_forms
from readmodels.admin.people.staff_changes import VIEWS, AddView
from readmodels.roles import ROLES
from readmodels.staff import changes
from readmodels.staff.models import Kind, StaffChange

SUPERUSER = "superuser"
_MOST_CHANGES = 50
_STATES = (("active", "Active"), ("deactivated", "Deactivated"))

for model in (User, Group):  # the groups are the roles in readmodels.roles; `migrate` applies them
    admin.site.unregister(model)


class RoleFilter(OneOf):
    title = "role"
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(role, role.capitalize()) for role in (*ROLES, SUPERUSER)]

    def condition(self) -> Q:
        match self.value():
            case None | "":
                return Q()
            case "superuser":
                return Q(is_superuser=True)
            case role:
                return Q(pk__in=User.objects.filter(groups__name=role))


class StateFilter(OneOf):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(_STATES)

    def condition(self) -> Q:
        return Q(is_active=self.value() == "active") if self.value() else Q()


@admin.register(User)
class StaffAdmin(BrowsingAdmin):
    keyset = ("username",)
    ascending = True
    page_labels = ("Before", "After")
    list_title = "Staff"
    list_display = ("called", "full_name", "roles", "state", "last_sign_in")
    list_display_links = ("called",)
    list_filter = (RoleFilter, StateFilter)
    change_list_template = "backoffice/staff/list.html"

    @display(description="Username")
    def called(self, row: User) -> str:
        return fragments.foreign_text(row.username)

    @display(description="Name")
    def full_name(self, row: User) -> str:
        return fragments.foreign_text(row.get_full_name()) if row.get_full_name() else "–"

    @display(description="Role")
    def roles(self, row: User) -> str:
        return ", ".join(role.capitalize() for role in roles_of(row)) or "–"

    @display(description="State", label={"active": "success", "deactivated": "danger"})
    def state(self, row: User) -> str:
        return "active" if row.is_active else "deactivated"

    @display(description="Last sign-in (UTC)")
    def last_sign_in(self, row: User) -> str:
        return times.moment(row.last_login, times.MINUTE) if row.last_login else "never"

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows: QuerySet[User] = super().get_queryset(request)
        return rows.prefetch_related("groups")

    def get_urls(self) -> list[URLPattern]:
        add = self.form_view(AddView)
        forms = [
            path(
                f"<int:staff_pk>/{route}/",
                self.form_view(view),
                name=name,
            )
            for route, name, view in VIEWS
        ]
        return [path("add/", add, name="auth_user_add"), *forms, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may = {
            "may_manage": permissions.holds(request.user, changes.MANAGE),
            "may_see_changes": request.user.has_perm("staff.view_staffchange"),
        }
        return super().changelist_view(request, {**may, **(extra_context or {})})

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show one person with the changes to the account. Those who manage staff get buttons."""
        person = self.get_object(request, object_id)
        if person is None:
            raise Http404(f"There is no account {object_id}.")
        return self.page(
            request,
            "backoffice/staff/person.html",
            title=labels.isolated(person.get_full_name() or person.username),
            original=person,
            person=person,
            roles=[role.capitalize() for role in roles_of(person)],
            permissions=sorted(person.user_permissions.values_list("name", flat=True)),
            is_own=actors.staff(person.pk) == requests.actor(request),
            role_form=staff_forms.RoleForm(initial={"role": next(iter(roles_of(person)), None)}),
            may_manage=permissions.holds(request.user, changes.MANAGE),
            may_delete=not is_in_evidence(person),
            changes=list(described(StaffChange.objects.filter(staff=person.pk)[:_MOST_CHANGES]))
            if request.user.has_perm("staff.view_staffchange")
            else None,
        )


def roles_of(user: User) -> list[str]:
    roles = [SUPERUSER] if user.is_superuser else []
    return [*roles, *(group.name for group in user.groups.all())]


def is_in_evidence(user: User) -> bool:
    """Return whether the database would refuse to delete the user, as its trigger decides."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT staff_is_in_evidence(%s)", [user.pk])
        (found,) = cursor.fetchone()
    return bool(found)


def described(rows: QuerySet[StaffChange]) -> Iterator[dict[str, Any]]:
    """Yield the changes as text, with the names of those who made them."""
    found = list(rows)
    names = labels.people(row.by for row in found)
    for row in found:
        yield {"what": _what(row), "by": _by(row, names), "at": row.at}


def _what(row: StaffChange) -> str:
    label = Kind(row.kind).label
    if row.kind in {Kind.SIGN_IN, Kind.SUPERUSER}:
        return f"{label}: {row.after}"
    if row.before and row.after:
        return f"{label}: from {labels.isolated(row.before)} to {labels.isolated(row.after)}"
    value = row.after or row.before
    return f"{label}: {labels.isolated(value)}" if value else label


def _by(row: StaffChange, names: dict[str, str]) -> str:
    if row.by.startswith("database:"):
        return "a command or the database"
    return names.get(row.by, row.by)


class PersonFilter(TypedFilter):
    title = "username"
    parameter_name = "username"


@admin.register(StaffChange)
class StaffChangeAdmin(BrowsingAdmin):
    """The changes to all accounts, which show who held which role when."""

    keyset: ClassVar = ("at", "id")
    list_title = "Staff changes"
    list_display = ("when", "who", "what", "by_whom")
    has_pages = False
    list_filter = (PersonFilter,)
    change_list_template = "backoffice/staff/changes.html"

    @display(description="When (UTC)")
    def when(self, row: StaffChange) -> str:
        return times.moment(row.at)

    @display(description="Username")
    def who(self, row: StaffChange) -> str:
        return fragments.foreign_text(row.username)

    @display(description="Change")
    def what(self, row: StaffChange) -> str:
        return fragments.foreign_text(_what(row))

    @display(description="By")
    def by_whom(self, row: Any) -> str:
        return fragments.foreign_text(row.details)

    def details(self, rows: Sequence[Any]) -> dict[Any, str]:
        names = labels.people(row.by for row in rows)
        return {row.pk: _by(row, names) for row in rows}
