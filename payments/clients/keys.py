"""Create, rotate and revoke API keys."""

import logging
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from django.db import transaction

from payments import actors, permissions
from payments.clients.keyring import digest
from payments.clients.models import ApiKey, Client

logger: Final = logging.getLogger(__name__)

MANAGE: Final = "clients.manage_apikey"

# "sk" means secret key. Secret scanners attribute "sk_live" to another company, and "pk" usually means a
# publishable key. Older keys that begin with "pk" keep working.
_PREFIX_BYTES: Final = 4
_SECRET_BYTES: Final = 32


class KeyRefused(Exception):
    """The key cannot be rotated. The message states the reason and the remedy."""


def create(
    client: Client,
    scopes: Sequence[str],
    *,
    staff_id: int | None = None,
    expires_at: datetime | None = None,
    label: str = "",
    key_id: UUID | None = None,
    by: str,
) -> tuple[ApiKey, str]:
    """Store a new key; return it and its text, which cannot be recovered later.

    `by` is an actor id. The key acts as the staff member `staff_id`. People can create such keys
    only for themselves. Raises NotPermitted.
    """
    permissions.require(by, MANAGE, operators=True)
    _require_own(staff_id, by)
    key, text = _make(
        client, scopes, staff_id=staff_id, expires_at=expires_at, label=label, key_id=key_id
    )
    _log(key, "created", by)
    return key, text


def rotate(key: ApiKey, *, at: datetime, old_until: datetime, by: str) -> tuple[ApiKey, str]:
    """Create a key with the same scopes and lifetime; the old one expires at `old_until` or earlier.

    At most two keys of a rotation chain are live at a time. Raises NotPermitted, KeyRefused.
    """
    permissions.require(by, MANAGE, operators=True)
    _require_own(key.staff_id, by)
    with transaction.atomic():
        # Another process may have revoked the key, or may be rotating it.
        old = ApiKey.objects.select_for_update().get(pk=key.pk)
        _require_rotatable(old, at)
        # An earlier rotation may have shortened the life of `old`. In that case, its first
        # successor has the original lifetime.
        whole = old.successors.order_by("created_at").first() or old
        expires_at = (
            None if whole.expires_at is None else at + (whole.expires_at - whole.created_at)
        )
        new, text = _make(
            old.client,
            old.scopes,
            staff_id=old.staff_id,
            expires_at=expires_at,
            label=old.label,
            rotated_from=old,
        )
        if old.expires_at is None or old.expires_at > old_until:
            old.expires_at = old_until
            old.save(update_fields=["expires_at"])
    _log(old, f"replaced by {new}", by)
    return new, text


def revoke(key: ApiKey, *, at: datetime, by: str) -> None:
    """Revoke the key permanently. Processes read keys every two seconds and refuse it within three.

    Raises NotPermitted.
    """
    permissions.require(by, MANAGE, operators=True)
    # Keep the first timestamp if two people revoke concurrently.
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at)
    _log(key, "revoked", by)


def _require_own(staff_id: int | None, by: str) -> None:
    """Raise NotPermitted if `by` is a person other than the key's `staff_id`.

    Otherwise one person could give both approvals that a payment needs. Operators are exempt: they
    have access to the database anyway.
    """
    if staff_id is not None and not actors.is_operator(by) and actors.staff_pk(by) != staff_id:
        raise permissions.NotPermitted(
            f"The key decides as {actors.staff(staff_id)}. Only this person can create or rotate it."
        )


def _require_rotatable(key: ApiKey, at: datetime) -> None:
    """Raise KeyRefused if the key is dead, or if another key of its chain is live."""
    if key.revoked_at is not None:
        raise KeyRefused(f"{key} was revoked {_moment(key.revoked_at)}. Create a new key instead.")
    if key.expires_at is not None and key.expires_at <= at:
        raise KeyRefused(f"{key} expired {_moment(key.expires_at)}. Create a new key instead.")
    before = key.rotated_from
    if before is not None and before.is_live(at):
        until = f"wait until {_moment(before.expires_at)}" if before.expires_at else "let it expire"
        raise KeyRefused(
            f"{key} replaces {before}, which is still live: revoke {before}, or {until}."
        )
    for successor in key.successors.order_by("created_at"):
        if successor.is_live(at):
            raise KeyRefused(
                f"{key} is already replaced by {successor}. Use {successor}. If its text was lost,"
                f" revoke {successor} and rotate {key} again."
            )


def _log(key: ApiKey, change: str, by: str) -> None:
    logger.info("API key %s: %s by %s.", key, change, by)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _make(
    client: Client,
    scopes: Sequence[str],
    *,
    staff_id: int | None,
    expires_at: datetime | None,
    label: str = "",
    key_id: UUID | None = None,
    rotated_from: ApiKey | None = None,
) -> tuple[ApiKey, str]:
    prefix = f"sk_{secrets.token_hex(_PREFIX_BYTES)}"
    text = f"{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    key = ApiKey.objects.create(
        id=key_id or uuid4(),
        client=client,
        prefix=prefix,
        label=label,
        digest=digest(text),
        scopes=list(scopes),
        staff_id=staff_id,
        expires_at=expires_at,
        rotated_from=rotated_from,
    )
    return key, text
