"""Find the user for whom a command acts."""

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from payments import actors


def actor(username: str) -> str:
    """Return the actor id of the user. Raises CommandError."""
    user = get_user_model().objects.filter(username=username).first()
    if user is None:
        raise CommandError(
            f"There is no user {username!r}. Create one with `./manage.py create_staff`."
        )
    return actors.staff(user.pk)
