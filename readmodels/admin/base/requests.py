"""Facts about a request to the back office."""

from django.http import HttpRequest

from payments import actors


def actor(request: HttpRequest) -> str:
    """Return the actor id of the signed-in member of staff."""
    return actors.staff(int(request.user.pk or 0))
