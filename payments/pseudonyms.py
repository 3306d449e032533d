"""Keyed hashes that stand, in the log, for what the log must not hold.

The key is `settings.PSEUDONYM_KEY`. With another key every customer becomes somebody else and no
repeated request is recognised, so it is set once and never rotated; KEY_ID is stored beside what
depends on it.
"""

import hmac
from functools import cache
from typing import Final
from uuid import UUID

from django.conf import settings

from payments.domain.cards import Card, PresentedCard
from payments.domain.signals import PresentedSignals, Signals

KEY_ID: Final = 1

_SEPARATOR: Final = "\x1f"  # cannot occur in the parts: text is checked to be printable


def keyed_digest(purpose: str, *parts: str) -> bytes:
    """HMAC-SHA256 (RFC 2104) of the parts.

    `purpose` keeps digests of different kinds from ever meeting.
    """
    keyed = _keyed(settings.PSEUDONYM_KEY).copy()
    keyed.update(_SEPARATOR.join((purpose, *parts)).encode())
    return keyed.digest()


@cache
def _keyed(key: str) -> hmac.HMAC:
    """To be copied: to begin with the key costs more than the message."""
    return hmac.new(key.encode(), digestmod="sha256")


def customer_id(client_id: UUID, reference: str) -> UUID:
    """The id of the customer that a client calls `reference`: a version 8 UUID (RFC 9562)."""
    octets = bytearray(keyed_digest("customer", str(client_id), reference)[:16])
    octets[6] = 0x80 | (octets[6] & 0x0F)
    octets[8] = 0x80 | (octets[8] & 0x3F)
    return UUID(bytes=bytes(octets))


def known_card(client_id: UUID, card: PresentedCard) -> Card:
    """What is known of the client's card, with 32 hexadecimal digits for its token."""
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
