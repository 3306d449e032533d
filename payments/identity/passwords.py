"""Compare passwords at sign-in, and hash them again when Django's work factor has grown.

The password stays the same, so other sessions stay open. The record of staff accounts distinguishes
this from a new password.
"""

from typing import Any, Final

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from payments import actors
from payments.database import execute
from payments.identity import sessions

# The trigger that writes the record compares the new hash with the first setting.
_NAME_THE_HASH: Final = """
SELECT set_config('payments.same_password', %(stored)s, true), set_config('payments.actor', %(by)s, true)
"""


class Backend(ModelBackend):
    """Django's backend, except that hashing a password again does not end other sessions."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **_: Any,
    ) -> User | None:
        if username is None or password is None:
            return None
        try:
            user = User.objects.get_by_natural_key(username)
        except User.DoesNotExist:
            make_password(password)  # takes as long as it does for a name that exists
            return None
        is_correct = check_password(password, user.password, lambda same: _store(user, same))
        return user if is_correct and self.user_can_authenticate(user) else None


def _store(user: User, same: str) -> None:
    """Store the new hash, unless the password has changed since it was compared."""
    compared, stored, before = user.password, make_password(same), user.get_session_auth_hash()
    with transaction.atomic():
        execute(_NAME_THE_HASH, {"stored": stored, "by": actors.staff(user.pk)})
        if not User.objects.filter(pk=user.pk, password=compared).update(password=stored):
            return
        user.password = stored
        sessions.rehash(user.pk, before, user.get_session_auth_hash())
