"""The pages and buttons that add and change staff accounts."""

import secrets
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from payments import permissions
from readmodels import labels
from readmodels.admin.base import kept_text, requests
from readmodels.admin.people.staff_forms import AddForm, NameForm, PasswordForm, RoleForm
from readmodels.staff import changes
from readmodels.staff.changes import Person, StaffRefused


def _made_password() -> str:
    return secrets.token_urlsafe(12)


@method_decorator([sensitive_post_parameters("password"), never_cache], name="dispatch")
class _StaffView(View):
    """Base class of the pages."""

    http_method_names = ["get", "post"]
    admin: Any = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, changes.MANAGE):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def form_page(
        self,
        request: HttpRequest,
        title: str,
        form: forms.Form,
        *,
        person: User | None,
        **more: Any,
    ) -> HttpResponse:
        back = _url(person) if person else reverse("admin:auth_user_changelist")
        page: HttpResponse = self.admin.page(
            request,
            "backoffice/staff/form.html",
            title=title,
            original=person,
            person=person,
            form=form,
            back=back,
            **more,
        )
        return page

    def password_page(self, request: HttpRequest, person: User, password: str) -> HttpResponse:
        """Show a password that the server generated. No later page shows it."""
        page: HttpResponse = self.admin.page(
            request,
            "backoffice/staff/password.html",
            title=f"Password of {labels.isolated(person.username)}",
            original=person,
            person=person,
            password=password,
        )
        return page


class AddView(_StaffView):
    """Add a person with name, role and first password."""

    keeps: ClassVar = ("username", "first_name", "last_name", "role")

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(request, AddForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            return self._page(request, AddForm(initial=request.POST.dict()))
        form = AddForm(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        typed = form.cleaned_data
        password = typed["password"] or _made_password()
        try:
            person = changes.add(
                Person(**typed | {"password": password}), by=requests.actor(request)
            )
        except StaffRefused as refused:
            form.add_error(refused.field, str(refused))
            return self._page(request, form)
        if not typed["password"]:
            return self.password_page(request, person, password)
        name = labels.isolated(person.username)
        messages.success(request, f"{name} is added as {typed['role']}, and can sign in.")
        return HttpResponseRedirect(_url(person))

    def _page(self, request: HttpRequest, form: AddForm) -> HttpResponse:
        return self.form_page(request, "Add a person", form, person=None, button="Add")


class _ChangeView(_StaffView, ABC):
    """Base class of the pages that change one account."""

    title: ClassVar[str]
    button: ClassVar[str] = "Save"
    form_class: ClassVar[type[forms.Form]]

    def get(self, request: HttpRequest, staff_pk: int) -> HttpResponse:
        person = get_object_or_404(User, pk=staff_pk)
        return self._page(request, person, self.form_class(initial=self.initial(person)))

    def post(self, request: HttpRequest, staff_pk: int) -> HttpResponse:
        person = get_object_or_404(User, pk=staff_pk)
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            return self._page(request, person, self.form_class(initial=request.POST.dict()))
        form = self.form_class(request.POST)
        if not form.is_valid():
            return self._page(request, person, form)
        try:
            return self.change(request, person, form.cleaned_data)
        except StaffRefused as refused:
            form.add_error(refused.field, str(refused))
            return self._page(request, person, form)

    def initial(self, person: User) -> dict[str, Any]:
        return {}

    @abstractmethod
    def change(self, request: HttpRequest, person: User, typed: dict[str, Any]) -> HttpResponse:
        """Make the change with the typed values. Raises StaffRefused."""

    def done(self, request: HttpRequest, person: User, text: str) -> HttpResponse:
        messages.success(request, text)
        return HttpResponseRedirect(_url(person))

    def _page(self, request: HttpRequest, person: User, form: forms.Form) -> HttpResponse:
        return self.form_page(request, self.title, form, person=person, button=self.button)


class RoleView(_ChangeView):
    title = "Change the role"
    button = "Change role"
    form_class = RoleForm

    def change(self, request: HttpRequest, person: User, typed: dict[str, Any]) -> HttpResponse:
        changes.change_role(person, typed["role"], by=requests.actor(request))
        name = labels.isolated(person.username)
        return self.done(request, person, f"{name} is {typed['role']} from now on.")


class NameView(_ChangeView):
    title = "Change the name"
    form_class = NameForm
    keeps: ClassVar = ("first_name", "last_name")

    def initial(self, person: User) -> dict[str, Any]:
        return {"first_name": person.first_name, "last_name": person.last_name}

    def change(self, request: HttpRequest, person: User, typed: dict[str, Any]) -> HttpResponse:
        changes.set_name(person, **typed, by=requests.actor(request))
        return self.done(request, person, "The name is changed.")


class PasswordView(_ChangeView):
    title = "Set a new password"
    button = "Set password"
    form_class = PasswordForm

    def change(self, request: HttpRequest, person: User, typed: dict[str, Any]) -> HttpResponse:
        password = typed["password"] or _made_password()
        changes.set_password(person, password, by=requests.actor(request))
        if not typed["password"]:
            return self.password_page(request, person, password)
        return self.done(request, person, "The password is changed. The person's sessions ended.")


class _ConfirmView(_ChangeView):
    """A change without fields. Its page asks for confirmation."""

    form_class = forms.Form
    lines: ClassVar[tuple[str, ...]] = ()

    def _page(self, request: HttpRequest, person: User, form: forms.Form) -> HttpResponse:
        return self.form_page(
            request, self.title, form, person=person, button=self.button, lines=self.lines
        )


class DeactivateView(_ConfirmView):
    title = "Deactivate the account"
    button = "Deactivate"
    lines = (
        "The person is signed out at once and can no longer sign in. API keys that act as the person stop"
        " working. Names in the history stay.",
        "Claimed and assigned payments stay with the person: hand them over in the review queue.",
    )

    def change(self, request: HttpRequest, person: User, typed: dict[str, Any]) -> HttpResponse:
        changes.set_active(person, active=False, by=requests.actor(request))
        return self.done(request, person, "The account is deactivated.")


class ActivateView(_ConfirmView):
    title = "Activate the account"
    button = "Activate"
    lines = ("The person can sign in again, with the same password and role.",)

    def change(self, request: HttpRequest, person: User, typed: dict[str, Any]) -> HttpResponse:
        changes.set_active(person, active=True, by=requests.actor(request))
        return self.done(request, person, "The account is active.")


class DeleteView(_ConfirmView):
    title = "Delete the account"
    button = "Delete"
    lines = (
        "Only an account that was never used can be deleted. Records need the names of all others.",
    )

    def change(self, request: HttpRequest, person: User, typed: dict[str, Any]) -> HttpResponse:
        changes.delete(person, by=requests.actor(request))
        messages.success(request, "The account is deleted.")
        return HttpResponseRedirect(reverse("admin:auth_user_changelist"))


VIEWS: Final = (
    ("role", "staff_role", RoleView),
    ("name", "staff_name", NameView),
    ("password", "auth_user_password_change", PasswordView),
    ("deactivate", "staff_deactivate", DeactivateView),
    ("activate", "staff_activate", ActivateView),
    ("delete", "auth_user_delete", DeleteView),
)


def _url(person: User) -> str:
    return reverse("admin:auth_user_change", args=[person.pk])
