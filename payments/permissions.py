"""The permissions for commands. Use cases check them, so no caller can bypass them."""

from collections.abc import Mapping
from typing import Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import (
    AbstractBaseUser,
    AnonymousUser,
    Group,
    PermissionsMixin,
)
from django.core.exceptions import PermissionDenied

from payments import actors

REVIEW: Final = "events.review_payment"
REVIEW_AS_SENIOR: Final = "events.review_as_senior"
CORRECT: Final = "events.correct_payment"
MANAGE_POLICIES: Final = "events.manage_policies"
MANAGE_LISTS: Final = "events.manage_lists"
EDIT_LISTS: Final = "events.edit_lists"
RESPOND_TO_DISPUTE: Final = "events.respond_to_dispute"
CONCLUDE_SECOND_REVIEW: Final = "events.conclude_second_review"
SEE_POLICIES: Final = "events.see_policies"
REVEAL: Final = "events.reveal_customer"

# The permissions as the admin shows them. Most are for commands that append events. No Django model
# declares them, because commands have no models. `migrate` stores them with the content type of the
# log's events.
NAMES: Final[Mapping[str, str]] = {
    REVIEW: "Can approve and reject payments",
    REVIEW_AS_SENIOR: "Can decide on escalated payments and approve as the second",
    CORRECT: "Can cancel and refund payments",
    MANAGE_POLICIES: "Can propose, approve and retire risk policies",
    MANAGE_LISTS: "Can create and archive lists",
    EDIT_LISTS: "Can add and remove entries of lists",
    RESPOND_TO_DISPUTE: "Can respond to disputes and record their notices",
    CONCLUDE_SECOND_REVIEW: "Can conclude second reviews",
    SEE_POLICIES: "Can see risk policies and lists",
    REVEAL: "Can reveal personal data of customers",
}


class NotPermitted(PermissionDenied):
    """The actor does not have the permission. Django responds with 403, the API with `permission_denied`."""


def require(actor: str, permission: str, *, operators: bool = False) -> None:
    """Raise NotPermitted unless the actor is a person who has the permission now.

    With `operators`, people who run `manage.py` pass too, because they can access the database
    itself.
    """
    if not (operators and actors.is_operator(actor)):
        person(actor, permission)


def person(actor: str, permission: str) -> AbstractBaseUser:
    """Return the user behind the actor id. Raises NotPermitted unless they have the permission now."""
    user = staff(actor)
    if user is None or not holds(user, permission):
        name = f"{user.get_username()} ({actor})" if user else actor
        raise NotPermitted(
            f"{name} does not hold the permission {permission}{_holders(permission)}."
        )
    return user


def staff(actor: str) -> AbstractBaseUser | None:
    """Return the user behind the actor id, None if there is none."""
    staff_pk = actors.staff_pk(actor)
    return None if staff_pk is None else get_user_model().objects.filter(pk=staff_pk).first()


def holds(user: AbstractBaseUser | AnonymousUser, permission: str) -> bool:
    """Return whether the user is active staff with the permission."""
    return (
        isinstance(user, PermissionsMixin)
        and user.is_active
        and bool(getattr(user, "is_staff", False))
        and user.has_perm(permission)
    )


def _holders(permission: str) -> str:
    """Return a clause that names the roles that hold the permission."""
    app, _, codename = permission.partition(".")
    roles = Group.objects.filter(
        permissions__content_type__app_label=app, permissions__codename=codename
    )
    names = ", ".join(roles.order_by("name").values_list("name", flat=True))
    return f"; these roles do: {names}" if names else ""
