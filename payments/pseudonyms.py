"""Keyed hashes that replace personal data in the log.

The key is `settings.PSEUDONYM_KEY`. With another key every customer would get another id, and repeated
commands would not be recognized. Therefore the key cannot be rotated. The database stores a keyed
hash of a constant, so that a process with another key can be refused. KEY_ID is stored with the
data that depends on the key.
"""

import hmac
import json
from functools import cache
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, ProgrammingError, connection

from payments.database import execute
from payments.domain.cards import Card, PresentedCard
from payments.domain.signals import PresentedSignals, Signals

KEY_ID: Final = 1

# The check value. In a database without one, the id of any customer shows which key was used.
_KNOWN: Final = """
SELECT (SELECT check_value FROM customers_pseudonymkey WHERE key_id = %(key_id)s::smallint),
       (SELECT json_build_array(client_id, reference, id)::text FROM customers_customer
         WHERE reference IS NOT NULL LIMIT 1)
"""
_KEEP: Final = """
INSERT INTO customers_pseudonymkey (key_id, check_value)
VALUES (%(key_id)s::smallint, %(check_value)s) ON CONFLICT DO NOTHING
"""

_verified: Final[set[str]] = set()  # the keys that this process has compared with the check value


class WrongPseudonymKey(ImproperlyConfigured):
    """The key of this process is not the one with which the database was filled."""

    def __init__(self) -> None:
        super().__init__(
            "PSEUDONYM_KEY is not the key of this database: every customer would get another id."
            " Set it to the value of the other processes. It cannot be rotated."
        )


_SEPARATOR: Final = "\x1f"  # cannot occur in the parts, which are printable


def keyed_digest(purpose: str, *parts: str) -> bytes:
    """Return the HMAC-SHA256 (RFC 2104) of the parts. The digest also depends on `purpose`."""
    keyed = _keyed(settings.PSEUDONYM_KEY).copy()
    keyed.update(_SEPARATOR.join((purpose, *parts)).encode())
    return keyed.digest()


@cache
def _keyed(key: str) -> hmac.HMAC:
    """Return a hash to copy, because hashing the key takes longer than hashing the message."""
    return hmac.new(key.encode(), digestmod="sha256")


def customer_id(client_id: UUID, reference: str) -> UUID:
    """Return the id of the customer that the client calls `reference`."""
    return keyed_id("customer", str(client_id), reference)


def keyed_id(purpose: str, *parts: str) -> UUID:
    """Return the keyed digest of the parts as a version 8 UUID (RFC 9562)."""
    octets = bytearray(keyed_digest(purpose, *parts)[:16])
    octets[6] = 0x80 | (octets[6] & 0x0F)
    octets[8] = 0x80 | (octets[8] & 0x3F)
    return UUID(bytes=bytes(octets))


def known_card(client_id: UUID, card: PresentedCard) -> Card:
    """Return the card to store, with a fingerprint of 32 hexadecimal digits instead of the token."""
    fingerprint = _fingerprint("card", client_id, card.token)
    return Card(fingerprint=fingerprint, brand=card.brand, last4=card.last4)


def known_signals(client_id: UUID, presented: PresentedSignals) -> Signals:
    """Return the hashes of the values that the client presented."""

    def hashed(kind: str, value: str | None) -> str | None:
        return None if value is None else _fingerprint(kind, client_id, value)

    return Signals(
        ip_address=hashed("ip_address", presented.ip_address),
        device_id=hashed("device_id", presented.device_id),
        email=hashed("email", presented.email),
    )


def _fingerprint(kind: str, client_id: UUID, value: str) -> str:
    return keyed_digest(kind, str(client_id), value)[:16].hex()


def require_key() -> None:
    """Raise WrongPseudonymKey if the database was filled with another key.

    After the first success, a process does not query again. The first process, which migrates,
    stores the check value.
    """
    key: str = settings.PSEUDONYM_KEY
    if key in _verified:
        return
    check_value = keyed_digest("check").hex()
    ((known, customer),) = execute(_KNOWN, {"key_id": KEY_ID})
    if known is None:
        if customer is not None:
            client_id, reference, found = json.loads(customer)
            if str(customer_id(UUID(client_id), reference)) != found:
                raise WrongPseudonymKey
        execute(_KEEP, {"key_id": KEY_ID, "check_value": check_value})
        ((known, _),) = execute(_KNOWN, {"key_id": KEY_ID})
    if known != check_value:
        raise WrongPseudonymKey
    _verified.add(key)


def require_key_at_start() -> None:
    """Check the key like `require_key`, unless the database is unreachable or not migrated."""
    try:
        require_key()
    except (OperationalError, InterfaceError, ProgrammingError):
        return
    finally:
        connection.close()
