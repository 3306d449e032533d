"""API keys: made, shown once, recognised by their digest, rotated and revoked."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from django.db import transaction

from payments.clients.models import ApiKey, Client

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
) -> tuple[ApiKey, str]:
    """Store a new key; return it and its text, which nobody can ever read again."""
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


def rotate(key: ApiKey, *, at: datetime, old_until: datetime) -> tuple[ApiKey, str]:
    """Make a key with the same rights and lifetime, and let the old one expire at `old_until`."""
    expires_at = None if key.expires_at is None else at + (key.expires_at - key.created_at)
    with transaction.atomic():
        new, text = create(key.client, key.scopes, staff_id=key.staff_id, expires_at=expires_at)
        if key.expires_at is None or key.expires_at > old_until:
            key.expires_at = old_until
            key.save(update_fields=["expires_at"])
    return new, text


def revoke(key: ApiKey, *, at: datetime) -> None:
    """End the key for good, within the two seconds for which processes remember keys."""
    key.revoked_at = at
    key.save(update_fields=["revoked_at"])
