"""The use cases of staff accounts. Each checks the permission, and names its actor for the record.

Roles are groups: see readmodels.roles. A person has one role.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from msgspec import Struct

from payments import actors, permissions
from payments.database import execute
from payments.domain.text import TextError, checked_text
from payments.identity import sessions, signing_in
from readmodels.roles import ROLES

MANAGE: Final = "auth.change_user"
LONGEST_USERNAME: Final = 150
LONGEST_NAME: Final = 150
_NAME_THE_ACTOR: Final = "SELECT set_config('payments.actor', %(by)s, true)"


class StaffRefused(Exception):
    """The change is refused. `field` names the wrong value, if there is one."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Person(Struct, frozen=True, kw_only=True):
    """A new member of staff, as typed."""

    username: str
    first_name: str
    last_name: str
    role: str
    password: str


def add(person: Person, *, by: str) -> User:
    """Add an account that can sign in. Raises NotPermitted, StaffRefused."""
    username = User.normalize_username(_checked(person.username, LONGEST_USERNAME, "username"))
    user = User(
        username=username,
        first_name=_checked(person.first_name, LONGEST_NAME, "first_name"),
        last_name=_checked(person.last_name, LONGEST_NAME, "last_name"),
        is_staff=True,
    )
    try:
        user.clean_fields(exclude={"password", "email"})
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise StaffRefused(" ".join(messages), field=field) from error
    _set_password(user, person.password)
    try:
        with _named(by):
            user.save()
            user.groups.set([_group(person.role)])
            signing_in.require_new_password(user)
    except IntegrityError as error:
        raise StaffRefused(
            f"The username {username} is taken. Choose another one.", field="username"
        ) from error
    return user


def change_role(user: User, role: str, *, by: str) -> None:
    """Give the person this role instead of any other, including superuser.

    Raises NotPermitted, StaffRefused.
    """
    _refuse_own(user, by, "change your own role")
    with _named(by):
        user.groups.set([_group(role)])
        user.user_permissions.clear()
        if user.is_superuser:
            user.is_superuser = False
            user.save(update_fields=["is_superuser"])


def set_active(user: User, *, active: bool, by: str) -> None:
    """Activate or deactivate the account. Deactivation signs the person out.

    Raises NotPermitted, StaffRefused.
    """
    _refuse_own(user, by, "deactivate your own account")
    with _named(by):
        user.is_active = active
        user.save(update_fields=["is_active"])
        if not active:
            # Otherwise the sessions would work again after an activation soon afterwards.
            sessions.end_all(user.pk)


def set_name(user: User, *, first_name: str, last_name: str, by: str) -> None:
    """Change the name that pages show. Raises NotPermitted, StaffRefused."""
    user.first_name = _checked(first_name, LONGEST_NAME, "first_name")
    user.last_name = _checked(last_name, LONGEST_NAME, "last_name")
    with _named(by):
        user.save(update_fields=["first_name", "last_name"])


def set_password(user: User, password: str, *, by: str) -> None:
    """Set a new password, which ends the person's sessions. The next sign-in asks for another one.

    Raises NotPermitted, StaffRefused.
    """
    _set_password(user, password)
    with _named(by):
        user.save(update_fields=["password"])
        if by != actors.staff(user.pk):
            signing_in.require_new_password(user)


def delete(user: User, *, by: str) -> None:
    """Delete an unused account. Raises NotPermitted, StaffRefused."""
    _refuse_own(user, by, "delete your own account")
    try:
        with _named(by):
            user.delete()
    except IntegrityError as error:
        raise StaffRefused(
            "Permanent records name this account. Deactivate it instead of deleting it."
        ) from error


@contextmanager
def by_oneself(actor: str) -> Iterator[None]:
    """Run the block in one transaction. The record names the actor, the owner of the account."""
    with transaction.atomic():
        execute(_NAME_THE_ACTOR, {"by": actor})
        yield


@contextmanager
def _named(by: str) -> Iterator[None]:
    """Run the block in one transaction. The record names the actor, who needs the permission."""
    permissions.require(by, MANAGE)
    with by_oneself(by):
        yield


def _refuse_own(user: User, by: str, act: str) -> None:
    if by == actors.staff(user.pk):
        raise StaffRefused(f"You cannot {act}. Ask another administrator.")


def _group(role: str) -> Group:
    if role not in ROLES:
        raise StaffRefused(f"Choose one of the roles: {', '.join(ROLES)}.", field="role")
    return Group.objects.get(name=role)


def _checked(value: str, longest: int, field: str) -> str:
    if not value.strip() and field != "username":
        return ""
    try:
        return checked_text(value, max_length=longest)
    except TextError as error:
        raise StaffRefused(str(error), field=field) from error


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise StaffRefused(" ".join(error.messages), field="password") from error
    user.set_password(password)
