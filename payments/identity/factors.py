"""Second factors: authenticator apps (RFC 6238), passkeys and recovery codes.

An app counts time in steps of 30 seconds. Codes of the previous and the next step are accepted too,
because clocks differ. Each code works once. Each wrong code of a person doubles the wait before the
next try.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from string import ascii_lowercase, digits
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp.util import random_hex
from django_otp_webauthn.models import WebAuthnCredential
from msgspec import Struct

from payments.identity import records
from payments.identity.models import Change, RecoveryCode, RecoveryCodes
from payments.pseudonyms import keyed_digest

EVERYBODY: Final = "all"
NOBODY: Final = "none"
SUPERUSER: Final = "superuser"
CODES: Final = 8
_CODE_DIGITS: Final = 6
# Letters and digits that look alike are left out. A code of ten has 49 bits of entropy.
_ALPHABET: Final = "".join(sorted({*ascii_lowercase, *digits} - {*"ilo01"}))
_CODE_LETTERS: Final = 10
_DEVICES: Final = (TOTPDevice, WebAuthnCredential)


class WrongCode(Exception):
    """The code is not valid now. The message states what is accepted."""


class TooManyWrongCodes(WrongCode):
    """Wrong codes were entered before. No code is compared before `until`."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__(
            f"Too many wrong codes. Try again after {until:%H:%M:%S} UTC, or use a passkey."
        )


class AlreadyAdded(Exception):
    """The person already has an authenticator app."""

    def __init__(self) -> None:
        super().__init__(
            "You already have an authenticator app. Remove it before you add another one."
        )


class LastFactor(Exception):
    """The person's role requires a second factor, and this is the only one."""

    def __init__(self) -> None:
        super().__init__(
            "Your role requires a second factor, and this is your only one. Add another one first."
        )


class Factors(Struct, frozen=True):
    """The factors with which a person can prove their identity, in addition to the password."""

    app: Any  # a TOTPDevice or None
    passkeys: Sequence[Any]
    codes: int  # the number of unused recovery codes

    @property
    def is_enrolled(self) -> bool:
        return self.app is not None or bool(self.passkeys)


def lock(user: User) -> None:
    """Lock the person's factors, so that only one transaction at a time changes them."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def of(user: User) -> Factors:
    """Return the factors of the person, in three queries."""
    return Factors(
        app=TOTPDevice.objects.filter(user=user, confirmed=True).first(),
        passkeys=list(WebAuthnCredential.objects.filter(user=user).order_by("pk")),
        codes=RecoveryCode.objects.filter(codes__user=user).count(),
    )


def is_enrolled(user: User) -> bool:
    return any(model.objects.filter(user=user, confirmed=True).exists() for model in _DEVICES)


def is_required(user: User) -> bool:
    """Return whether one of the person's roles requires a second factor.

    If the settings name no role, no query is sent.
    """
    required: Sequence[str] = settings.MFA_REQUIRED_ROLES
    if EVERYBODY in required or not required:
        return bool(required)
    if user.is_superuser and SUPERUSER in required:
        return True
    return user.groups.filter(name__in=required).exists()


def new_secret() -> str:
    """Return a secret for an authenticator app, in hexadecimal digits."""
    secret: str = random_hex(20)
    return secret


def add_app(user: User, secret: str, code: str, *, at: datetime) -> TOTPDevice:
    """Store the app if the code proves that it has the secret. Raises WrongCode, AlreadyAdded."""
    with transaction.atomic():
        lock(user)
        if TOTPDevice.objects.filter(user=user).exists():
            raise AlreadyAdded
        app = TOTPDevice(user=user, name="Authenticator app", key=secret)
        if not _matches(app, _plain(code), at):
            raise WrongCode("This is not the current code of the app. Wait for the next code.")
        app.save()
        records.own(Change.APP_ADDED, user.pk, at=at)
    return app


def verify(user: User, code: str, *, at: datetime) -> Any:
    """Return the device that accepts the code, from an app or a recovery code. Raises WrongCode.

    The lock on the device prevents two concurrent uses of a code.
    """
    plain = _plain(code)
    is_app_code = len(plain) == _CODE_DIGITS and plain.isdigit()
    model = TOTPDevice if is_app_code else RecoveryCodes
    with transaction.atomic():
        device = model.objects.select_for_update().filter(user=user, confirmed=True).first()
        if device is None:
            raise WrongCode(_accepted(user))
        allowed, why = device.verify_is_allowed()
        if not allowed:
            raise TooManyWrongCodes(why["locked_until"])
        accepted = _matches(device, plain, at) if is_app_code else _is_used_up(device, plain, at)
        if accepted:
            device.throttle_reset(commit=False)
        else:
            device.throttle_increment(commit=False)
        device.save()
    if not accepted:
        raise WrongCode(_accepted(user))
    return device


def create_codes(user: User, *, at: datetime) -> list[str]:
    """Replace the person's recovery codes with new ones, and return the new codes."""
    codes = [_new_code() for _ in range(CODES)]
    with transaction.atomic():
        lock(user)
        RecoveryCodes.objects.filter(user=user).delete()
        device = RecoveryCodes.objects.create(user=user, name="Recovery codes")
        RecoveryCode.objects.bulk_create(
            RecoveryCode(codes=device, digest=_digest(user, _plain(code))) for code in codes
        )
        records.own(Change.CODES_CREATED, user.pk, at=at)
    return codes


def remove_app(user: User, *, at: datetime) -> None:
    """Remove the authenticator app. Raises LastFactor."""
    with transaction.atomic():
        _remove(user, TOTPDevice.objects.filter(user=user), Change.APP_REMOVED, at)


def remove_passkey(user: User, pk: int, *, at: datetime) -> None:
    """Remove one passkey of the person. Raises LastFactor."""
    with transaction.atomic():
        found = WebAuthnCredential.objects.filter(user=user, pk=pk)
        _remove(user, found, Change.PASSKEY_REMOVED, at)


def remove_all(user: User) -> None:
    """Remove every factor. The caller records why, in the same transaction."""
    lock(user)
    for model in (*_DEVICES, RecoveryCodes):
        model.objects.filter(user=user).delete()


def _remove(user: User, devices: Any, change: Change, at: datetime) -> None:
    lock(user)
    if not devices.exists():
        return
    devices.delete()
    if not is_enrolled(user):
        if is_required(user):
            raise LastFactor
        RecoveryCodes.objects.filter(user=user).delete()
    records.own(change, user.pk, at=at)


def _matches(app: TOTPDevice, code: str, at: datetime) -> bool:
    """Return whether the code is valid at the time. Mark it as used in `app`, without saving."""
    if not (len(code) == app.digits and code.isascii() and code.isdigit()):
        return False
    totp = TOTP(app.bin_key, app.step, app.t0, app.digits)
    totp.time = at.timestamp()
    if not totp.verify(int(code), app.tolerance, app.last_t + 1):
        return False
    app.last_t = totp.t()
    app.last_used_at = at
    return True


def _is_used_up(device: RecoveryCodes, code: str, at: datetime) -> bool:
    """Delete the recovery code and return whether there was one."""
    digest = _digest(device.user, code)
    deleted, _ = device.unused.filter(digest=digest).delete()
    if deleted:
        records.own(Change.CODE_USED, device.user_id, at=at)
    return bool(deleted)


def _accepted(user: User) -> str:
    if TOTPDevice.objects.filter(user=user, confirmed=True).exists():
        return (
            "This code is wrong or was already used. Enter the next code of your app, or a"
            " recovery code."
        )
    return "This code is wrong or was already used. Enter a recovery code, or use your passkey."


def _new_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LETTERS))
    return f"{letters[:5]}-{letters[5:]}"


def _plain(code: str) -> str:
    """Return the code without blanks and hyphens, which people may type."""
    return "".join(each for each in code.lower() if each.isalnum())[:64]


def _digest(user: User, code: str) -> bytes:
    """Return a keyed hash, so that a copy of the database alone does not allow guessing codes."""
    return keyed_digest("recovery code", str(user.pk), code)
