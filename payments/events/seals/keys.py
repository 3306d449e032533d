"""Keys for seals: the sealer's private key, and the public keys that a verifier trusts.

A key is 32 bytes in hex. Any 32 random bytes are a private key of Ed25519 (RFC 8032).
"""

import logging
from collections.abc import Iterable
from functools import cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

logger = logging.getLogger(__name__)

DEVELOPMENT_KEY: Final = "de" * 32
_KEY_BYTES: Final = 32


class SealKeyError(Exception):
    """A key is missing or invalid."""


def signing_key() -> Ed25519PrivateKey:
    """Return the private key from SEAL_KEY, or a published key if that is empty and DEBUG is on.

    Raises SealKeyError.
    """
    private = _private_key()
    # Embedded servers need no warning, because they hold only demo data.
    if settings.DEBUG and not settings.EMBEDDED and settings.SEAL_KEY in {"", DEVELOPMENT_KEY}:
        _warn_once()
    return private


def _private_key() -> Ed25519PrivateKey:
    key: str = settings.SEAL_KEY
    if settings.DEBUG and key in {"", DEVELOPMENT_KEY}:
        key = DEVELOPMENT_KEY
    elif key in {"", DEVELOPMENT_KEY}:
        raise SealKeyError(
            "Nothing can be sealed without a key: set SEAL_KEY to what `openssl rand -hex 32` prints,"
            " and keep it secret."
        )
    return Ed25519PrivateKey.from_private_bytes(_bytes("SEAL_KEY", key))


def public_key(private: Ed25519PrivateKey) -> str:
    """Return the public key in hex. Seals contain it."""
    return private.public_key().public_bytes_raw().hex()


def trusted(given: Iterable[str] = ()) -> frozenset[str]:
    """Return the trusted public keys: `given`, SEAL_PUBLIC_KEYS, and the public key of SEAL_KEY.

    Raises SealKeyError if a key is invalid or no key is trusted.
    """
    keys = {_bytes("--public-key", key).hex() for key in given}
    keys |= {_bytes("SEAL_PUBLIC_KEYS", key).hex() for key in settings.SEAL_PUBLIC_KEYS}
    if settings.SEAL_KEY or settings.DEBUG:
        keys.add(public_key(_private_key()))
    if not keys:
        raise SealKeyError(
            "No public key is trusted. Set SEAL_PUBLIC_KEYS or pass --public-key. With SEAL_KEY,"
            " `./manage.py seal_events --show-key` prints the public key."
        )
    return frozenset(keys)


def is_signed(message: bytes, signature: bytes, key: str) -> bool:
    """Return whether the owner of public `key` signed the message."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _bytes(name: str, key: str) -> bytes:
    try:
        octets = bytes.fromhex(key)
    except ValueError:
        octets = b""
    if len(octets) != _KEY_BYTES:
        # Do not print the key: it may be a secret in the wrong variable.
        raise SealKeyError(f"{name} must be {2 * _KEY_BYTES} hexadecimal digits.")
    return octets


@cache
def _warn_once() -> None:
    logger.warning("Seals are signed with the development key, which is public.")
