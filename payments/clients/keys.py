"""API keys: made, shown once, recognised by their digest, rotated and revoked."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import transaction

from payments import permissions
from payments.clients.keyring import digest
from payments.clients.models import ApiKey, Client

MANAGE: Final = "clients.manage_apikey"

# "sk" stands for secret key, while "pk" usually begins publishable keys. Scanners report "sk_live" to another
# company. Older keys begin with "pk" and are found by their digest like all others.
_PREFIX_BYTES: Final = 4
_SECRET_BYTES: Final = 32


class KeyRefused(Exception):
    """A key that cannot be rotated; the message tells why, and what to do."""


def create(
    client: Client,
    scopes: Sequence[str],
    *,
    staff_id: int | None = None,
    expires_at: datetime | None = None,
    by: str,
) -> tuple[ApiKey, str]:
    """Store a new key; return it and its text, which nobody can ever read again.

    `by` is an actor id. Raises NotPermitted.
    """
    permissions.require(by, MANAGE, operators=True)
    return _make(client, scopes, staff_id=staff_id, expires_at=expires_at)


def rotate(key: ApiKey, *, at: datetime, old_until: datetime, by: str) -> tuple[ApiKey, str]:
    """Make a key with the same rights and lifetime, and let the old one expire at `old_until`.

    Of a key, what it replaces and what replaces it two live at most. Raises NotPermitted, KeyRefused.
    """
    permissions.require(by, MANAGE, operators=True)
    with transaction.atomic():
        # Locked and read again: meanwhile somebody may have revoked it, or be rotating it too.
        old = ApiKey.objects.select_for_update().get(pk=key.pk)
        _rotatable(old, at)
        # The first rotation has cut its life short; a successor that was lost has all of it.
        whole = old.successors.order_by("created_at").first() or old
        expires_at = (
            None if whole.expires_at is None else at + (whole.expires_at - whole.created_at)
        )
        new, text = _make(
            old.client, old.scopes, staff_id=old.staff_id, expires_at=expires_at, rotated_from=old
        )
        if old.expires_at is None or old.expires_at > old_until:
            old.expires_at = old_until
            old.save(update_fields=["expires_at"])
    return new, text


def revoke(key: ApiKey, *, at: datetime, by: str) -> None:
    """End the key for good, everywhere within three seconds: processes read keys again after two.

    Raises NotPermitted.
    """
    permissions.require(by, MANAGE, operators=True)
    # Of two who do it at once the first one's time stays.
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at)


def _rotatable(key: ApiKey, at: datetime) -> None:
    """Refuse a key that is dead, and a third one that would live beside it and another."""
    if key.revoked_at is not None:
        raise KeyRefused(f"{key} was revoked {_moment(key.revoked_at)}. See create_api_key.")
    if key.expires_at is not None and key.expires_at <= at:
        raise KeyRefused(f"{key} expired {_moment(key.expires_at)}. See create_api_key.")
    before = key.rotated_from
    if before is not None and before.is_live(at):
        until = f"wait until {_moment(before.expires_at)}" if before.expires_at else "let it expire"
        raise KeyRefused(
            f"{key} replaces {before}, which still works: revoke {before}, or {until}."
        )
    for successor in key.successors.order_by("created_at"):
        if successor.is_live(at):
            raise KeyRefused(
                f"{key} is replaced by {successor} already. Go on with {successor}; if its text was"
                f" lost, revoke {successor} and rotate {key} again."
            )


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _make(
    client: Client,
    scopes: Sequence[str],
    *,
    staff_id: int | None,
    expires_at: datetime | None,
    rotated_from: ApiKey | None = None,
) -> tuple[ApiKey, str]:
    prefix = f"sk_{secrets.token_hex(_PREFIX_BYTES)}"
    text = f"{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    key = ApiKey.objects.create(
        client=client,
        prefix=prefix,
        digest=digest(text),
        scopes=list(scopes),
        staff_id=staff_id,
        expires_at=expires_at,
        rotated_from=rotated_from,
    )
    return key, text
