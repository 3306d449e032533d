"""The origin of a payment: an IP address, a device id and an e-mail address, stored as keyed hashes.

Two payments of one client with the same value have the same hash. The values themselves are never stored.
"""

import re
import unicodedata
from contextlib import suppress
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from msgspec import Struct

_ONE_SUBSCRIBER: Final = 64  # bits; an IPv6 host changes the others every day (RFC 8981)
LONGEST_EMAIL: Final = 254  # RFC 5321, section 4.5.3.1.3
# No more than this is checked, because RFC 6531 allows any letter in the local part.
_EMAIL: Final = re.compile(r"\S+@[^\s@]+")


class Signals(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Keyed hashes of 32 hexadecimal digits. None means that the client did not send the value."""

    ip_address: str | None = None
    device_id: str | None = None
    email: str | None = None


class PresentedSignals(Struct, frozen=True, kw_only=True):
    """The values that the client sent, in the spelling that is hashed."""

    ip_address: str | None = None
    device_id: str | None = None
    email: str | None = None


def canonical_ip(value: str) -> str:
    """Return the canonical spelling of an IPv4 address or of the /64 network of an IPv6 address.

    Raises ValueError.
    """
    address = ip_address(value)
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise ValueError("An address with a zone id is valid on one host only.")
        if address.ipv4_mapped is None:
            return str(ip_network((address, _ONE_SUBSCRIBER), strict=False))
        address = address.ipv4_mapped
    return str(address)


def canonical_email(value: str) -> str:
    """Return one spelling for addresses that differ only in case, Unicode form or domain encoding.

    Dots and tags in the local part are kept, because their meaning depends on the provider. Raises
    ValueError.
    """
    if len(value) > LONGEST_EMAIL or _EMAIL.fullmatch(value) is None:
        raise ValueError("An e-mail address has a name, an @ and a domain.")
    local, _, domain = unicodedata.normalize("NFC", value).casefold().rpartition("@")
    with suppress(UnicodeError):  # a label is too long: compare the domain unencoded
        domain = domain.encode("idna").decode()
    return f"{local}@{domain}"
