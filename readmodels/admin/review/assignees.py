"""The people to whom a payment under review can be assigned."""

from typing import Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet

from payments import actors, permissions
from payments.domain.payment.state import Payment
from readmodels import labels
from readmodels.admin.review.actions import Person

_MOST: Final = 500


def choices(payment: Payment, person: Person) -> list[tuple[str, str]]:
    """Return the actor ids and names of those who may decide on the payment, by name.

    The person who assigns it is included only if they are a senior reviewer. Others claim payments.
    """
    found = {actors.staff(user.pk): user for user in reviewers(senior=payment.needs_senior)}
    first = payment.first_approval
    excluded = {payment.assigned_to, first.reviewer if first else None}
    excluded |= set() if person.senior else {person.actor}
    return [(actor, name(user)) for actor, user in found.items() if actor not in excluded]


def people() -> list[tuple[str, str]]:
    """Return the actor ids and names of the active reviewers, by name."""
    return [(actors.staff(user.pk), name(user)) for user in reviewers()]


def reviewers(*, senior: bool = False) -> list[AbstractUser]:
    """Return the active reviewers, by name. With `senior`, only the senior ones."""
    found = _holders(permissions.REVIEW)
    if senior:
        found &= _holders(permissions.REVIEW_AS_SENIOR)
    return sorted(found[:_MOST], key=name)


def everyone() -> list[AbstractUser]:
    """Return all people, by name, including those who have left (no active staff account)."""
    return sorted(get_user_model().objects.order_by("-pk")[:_MOST], key=name)


def name(user: AbstractUser) -> str:
    """Return the name with characters that isolate its direction, since options have no markup."""
    return labels.isolated(user.get_full_name() or user.get_username())


def _holders(permission: str) -> QuerySet[AbstractUser]:
    holders: QuerySet[AbstractUser] = get_user_model().objects.with_perm(
        permission, backend="django.contrib.auth.backends.ModelBackend"
    )
    return holders.filter(is_staff=True)
