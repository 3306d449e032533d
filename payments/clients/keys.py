"""API keys: made, shown once, recognised by their digest, rotated and revoked."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from django.db import transaction

from payments import permissions
from payments.clients.models import ApiKey, Client

MANAGE: Final = "clients.manage_apikey"

_PREFIX_BYTES: Final = 4
_SECRET_BYTES: Final = 32


def digest(key: str) -> bytes:
    """SHA-256 is enough: a key is random, so nobody can try words."""
    return sha256(key.encode()).digest()


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

    Raises NotPermitted.
    """
    permissions.require(by, MANAGE, operators=True)
    expires_at = None if key.expires_at is None else at + (key.expires_at - key.created_at)
    with transaction.atomic():
        new, text = _make(key.client, key.scopes, staff_id=key.staff_id, expires_at=expires_at)
        if key.expires_at is None or key.expires_at > old_until:
            key.expires_at = old_until
            key.save(update_fields=["expires_at"])
    return new, text


def revoke(key: ApiKey, *, at: datetime, by: str) -> None:
    """End the key for good, within the two seconds for which processes remember keys.

    Raises NotPermitted.
    """
    permissions.require(by, MANAGE, operators=True)
    # Of two who do it at once the first one's time stays.
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at)


def _make(
    client: Client, scopes: Sequence[str], *, staff_id: int | None, expires_at: datetime | None
) -> tuple[ApiKey, str]:
    prefix = f"pk_{secrets.token_hex(_PREFIX_BYTES)}"
    text = f"{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    key = ApiKey.objects.create(
        client=client,
        prefix=prefix,
        digest=digest(text),
        scopes=list(scopes),
        staff_id=staff_id,
        expires_at=expires_at,
    )
    return key, text
