"""Track what a session has proved: a password, and perhaps a second factor.

Each session has to prove its own factors. A device that was used in another session proves nothing.
"""

from datetime import datetime
from typing import Any, Final

import django_otp
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from payments.identity import factors, sessions
from payments.identity.models import Account

# Keys of the session.
_EXPECTED: Final = "second_factor_expected"
_VERIFIED_AT: Final = "second_factor_at"
_MUST_CHANGE: Final = "must_change_password"


def connect() -> None:
    user_logged_in.connect(_remember, dispatch_uid="identity.signing_in")


def _remember(request: HttpRequest, user: User, **_: Any) -> None:
    """Store facts in the session that later requests would otherwise have to query."""
    sessions.begin(request, at=timezone.now())
    request.session[_EXPECTED] = factors.is_enrolled(user)
    account = Account.objects.filter(user=user, must_change_password=True)
    request.session[_MUST_CHANGE] = account.exists()


def is_factor_missing(request: HttpRequest) -> bool:
    """Return whether the session needs a second factor that it has not proved."""
    user: Any = request.user
    if user.is_verified():
        return False
    return bool(request.session.get(_EXPECTED)) or factors.is_required(user)


def is_proved(request: HttpRequest, *, at: datetime) -> bool:
    """Return whether the session proved a second factor a short time ago."""
    user: Any = request.user
    proved: float = request.session.get(_VERIFIED_AT, 0.0)
    age = at.timestamp() - proved
    return user.is_verified() and age <= settings.MFA_RECENT_SECONDS


def needs_proof(request: HttpRequest, *, at: datetime) -> bool:
    """Return whether a sensitive action has to ask for the second factor.

    Without a device and without a role that requires one, there is nothing to prove.
    """
    if is_proved(request, at=at):
        return False
    user: Any = request.user
    return user.is_verified() or is_factor_missing(request)


def prove(request: HttpRequest, device: Any, *, at: datetime) -> None:
    """Mark the session as verified by the device.

    The session's key changes, so that a copy of the old key is useless.

    Raises SessionInterrupted if the session has been ended.
    """
    user: Any = request.user
    if device.user_id != user.pk:
        raise ValueError("The device belongs to another person.")
    with transaction.atomic():
        sessions.require_open(request)
        request.session.cycle_key()
        django_otp.login(request, device)
        request.session[_VERIFIED_AT] = at.timestamp()
        if not request.session.get(_EXPECTED):
            # This is the person's first factor. Their other sessions began without one.
            sessions.end_others(request)
        request.session[_EXPECTED] = True


def add_app(request: HttpRequest, secret: str, code: str, *, at: datetime) -> None:
    """Add an app, and verify the session. Raises WrongCode, AlreadyAdded, SessionInterrupted."""
    user: Any = request.user
    with transaction.atomic():
        sessions.require_open(request)
        prove(request, factors.add_app(user, secret, code, at=at), at=at)


def create_codes(request: HttpRequest, *, at: datetime) -> list[str]:
    """Replace the person's recovery codes, and return the new codes. Raises SessionInterrupted."""
    user: Any = request.user
    with transaction.atomic():
        sessions.require_open(request)
        return factors.create_codes(user, at=at)


def must_change_password(request: HttpRequest) -> bool:
    return bool(request.session.get(_MUST_CHANGE))


def require_new_password(user: User) -> None:
    """Make the next sign-in ask for a new password."""
    Account.objects.update_or_create(user=user, defaults={"must_change_password": True})


def password_changed(request: HttpRequest, user: User) -> None:
    """Give the session access to the back office again after its person chose a new password.

    Django no longer accepts the person's other sessions, because each contains a hash of the old
    password.
    """
    Account.objects.filter(user=user).update(must_change_password=False)
    sessions.end_others(request)
    request.session[_MUST_CHANGE] = False
