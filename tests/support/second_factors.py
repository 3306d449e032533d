"""Staff with second factors, and the codes that their apps show."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as Browser
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from payments.identity import factors

PASSWORD = "correct horse battery staple"
SECRET = "3132333435363738393031323334353637383930"


def member(username: str = "grace", role: str = "senior reviewer") -> Any:
    user = get_user_model().objects.create_user(username, password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def code(at: datetime, *, steps: int = 0, secret: str = SECRET) -> str:
    """Return the code that an app shows `steps` times 30 seconds after `at`."""
    totp = TOTP(bytes.fromhex(secret))
    totp.time = (at + timedelta(seconds=30 * steps)).timestamp()
    return f"{totp.token():06}"


def enroll(user: Any, *, at: datetime) -> TOTPDevice:
    """Add an app whose first code was confirmed an hour before `at`."""
    before = at - timedelta(hours=1)
    return factors.add_app(user, SECRET, code(before), at=before)


def signed_in(user: Any) -> Browser:
    """Return the user's browser after the password but before the second factor."""
    logged_in = Browser()
    logged_in.force_login(user)
    return logged_in


def age(logged_in: Browser, **ages: timedelta) -> None:
    """Move the named times in the session into the past by these durations."""
    session = logged_in.session
    for key, by in ages.items():
        session[key] -= by.total_seconds()
    session.save()
