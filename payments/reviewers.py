"""Who may decide on payments: active staff with the permission, wherever they decide."""

from typing import Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin

PERMISSION: Final = "events.review_payment"


def may_review(user: AbstractBaseUser | AnonymousUser) -> bool:
    return (
        isinstance(user, PermissionsMixin)
        and user.is_active
        and bool(getattr(user, "is_staff", False))
        and user.has_perm(PERMISSION)
    )


def staff_may_review(user_pk: int) -> bool:
    user = get_user_model().objects.filter(pk=user_pk).first()
    return user is not None and may_review(user)
