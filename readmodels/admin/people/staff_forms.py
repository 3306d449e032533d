"""The forms for staff accounts. The use cases in readmodels.staff.changes check the values."""

from django import forms
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from readmodels.roles import ROLES
from readmodels.staff.changes import LONGEST_NAME, LONGEST_USERNAME

_NOT_ONE = "This is not one of the roles. Choose one."


def _role() -> forms.ChoiceField:
    return forms.ChoiceField(
        choices=[(role, role.capitalize()) for role in ROLES],
        widget=UnfoldAdminSelectWidget,
        error_messages={"invalid_choice": _NOT_ONE, "required": "Choose a role."},
    )


def _text(longest: int, **more: str) -> UnfoldAdminTextInputWidget:
    return UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "maxlength": longest, **more})


def _password(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=help_text,
    )


class NameForm(forms.Form):
    first_name = forms.CharField(required=False, widget=_text(LONGEST_NAME, dir="auto"))
    last_name = forms.CharField(required=False, widget=_text(LONGEST_NAME, dir="auto"))


class RoleForm(forms.Form):
    role = _role()


class PasswordForm(forms.Form):
    password = _password(
        "New password",
        "Leave it empty, and a password is made and shown once. At least 8 characters.",
    )


class AddForm(NameForm):
    username = forms.CharField(
        widget=_text(LONGEST_USERNAME),
        help_text="Letters, digits and @/./+/-/_ only. Colleagues mention the person by it.",
        error_messages={"required": "Enter a username."},
    )
    role = _role()
    password = _password(
        "First password",
        "Leave it empty, and a password is made and shown once. At least 8 characters.",
    )
    field_order = ("username", "first_name", "last_name", "role", "password")
