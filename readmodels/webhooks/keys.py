"""Keys of webhooks, all derived from settings.WEBHOOK_KEYS.

Each endpoint has its own secret for `v1` signatures, stored encrypted. For `v1a` signatures the
service has one Ed25519 key pair per webhook key, and publishes the public keys. The first webhook
key encrypts. All of them decrypt and sign, so a key can be replaced: put a new one first, and
remove the old one once no endpoint's secret is encrypted with it.
"""

import base64
import secrets
from functools import lru_cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - a prefix
PUBLIC_PREFIX: Final = "whpk_"
_SECRET_BYTES: Final = 32


class NotConfigured(Exception):
    """No webhook key is configured, so no endpoint can be stored and nothing is sent."""

    def __init__(self) -> None:
        super().__init__("Webhooks are not configured: set WEBHOOK_KEYS.")


class UnreadableSecret(Exception):
    """The secret was encrypted with a key that is not in WEBHOOK_KEYS."""

    def __init__(self) -> None:
        super().__init__(
            "The endpoint's secret was encrypted with a key that is not in WEBHOOK_KEYS."
            " Add that key, or rotate the secret."
        )


def new_secret() -> str:
    """Return a random secret in the form of Standard Webhooks. It is shown once."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def secret_bytes(secret: str) -> bytes:
    """Return the bytes of a secret, with which messages are signed."""
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX))


def encrypt(secret: str) -> bytes:
    """Return the secret as it is stored. Raises NotConfigured."""
    return _box(_configured()).encrypt(secret.encode())


def decrypt(stored: bytes | memoryview) -> str:
    """Return the secret. Raises NotConfigured and UnreadableSecret."""
    try:
        return _box(_configured()).decrypt(bytes(stored)).decode()
    except InvalidToken:
        raise UnreadableSecret from None


def signing_keys() -> list[Ed25519PrivateKey]:
    """Return the key pairs that sign, the newest first. Raises NotConfigured."""
    return [_pair(key) for key in _configured()]


def public_keys() -> list[str]:
    """Return the public keys in the form of Standard Webhooks, the newest first. Raises NotConfigured."""
    return [
        PUBLIC_PREFIX + base64.b64encode(pair.public_key().public_bytes_raw()).decode()
        for pair in signing_keys()
    ]


def _configured() -> tuple[str, ...]:
    if not settings.WEBHOOK_KEYS:
        raise NotConfigured
    return tuple(settings.WEBHOOK_KEYS)


@lru_cache
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(key, "encrypt"))) for key in keys])


@lru_cache
def _pair(key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_derive(key, "sign"))


def _derive(key: str, purpose: str) -> bytes:
    """Return 32 bytes for one purpose (HKDF, RFC 5869)."""
    info = f"payments webhooks {purpose}".encode()
    return HKDF(SHA256(), length=32, salt=None, info=info).derive(bytes.fromhex(key))
