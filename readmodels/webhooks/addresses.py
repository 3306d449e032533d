"""The URLs and addresses that an endpoint may have.

A URL is checked when it is saved. Its addresses are checked again for each connection, which then uses one
of the checked addresses and no other. A DNS answer that changes in between gains nothing.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

LONGEST_URL: Final = 500
RESOLVE_SECONDS: Final = 3.0

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Returns the addresses of a host name. Raises OSError.
Resolver = Callable[[str], Sequence[str]]

_PORTS: Final = {"https": 443, "http": 80}
_LONGEST_NAME: Final = 253
# The last label starts with a letter. Otherwise the C library reads some names as IPv4 addresses: 127.1,
# 0x7f000001, 2130706433.
_NAME: Final = re.compile(
    r"(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII
)
# A zone (%) is not accepted, because it names an interface of this machine.
_BRACKETS: Final = re.compile(r"\[[0-9a-fA-F:.]+\](?::[0-9]*)?", re.ASCII)
_INVALID_HOST: Final = "The URL's host is not valid; write IPv6 addresses as [...]."
# Names that have a meaning only inside a network.
_LOCAL_NAMES: Final = ("localhost", "localdomain", "local", "internal", "home.arpa")

# The unicast range that IANA has allocated for the whole Internet. Everything else is refused,
# including mapped, compatible and translated IPv4 addresses, and the link-local, site-local and
# unique-local ranges.
_GLOBAL_IPV6: Final = ipaddress.ip_network("2000::/3")
_FORBIDDEN: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by the customers of a provider
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # metadata of Azure
            "169.254.0.0/16",  # link-local, and metadata of most clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocols
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
            "2001::/23",  # protocols: Teredo, benchmarks, ORCHID
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which contains an IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)


class InvalidUrl(Exception):
    """An endpoint may not have this URL. The message is one sentence for the client."""


class Target(Struct, frozen=True, kw_only=True):
    """The parts of an accepted URL. `path` includes the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return the host, and the port unless it is the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def resolve(host: str) -> list[str]:
    """Return the addresses of a host name, as the system finds them. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


def check_url(url: str, *, debug: bool, resolver: Resolver = resolve) -> str:
    """Return the URL in its normal form, after its addresses were checked. Raises InvalidUrl.

    With `debug`, http and this machine's loopback addresses are accepted too.
    """
    target = parse(url, debug=debug)
    check_host(target.host, debug=debug, resolver=resolver, seconds=RESOLVE_SECONDS)
    return target.url


def parse(url: str, *, debug: bool) -> Target:
    """Return the parts of the URL, after checking its text only. Raises InvalidUrl."""
    _check_length(url)
    # Parsers differ in how they read these characters, and some read other digits as ASCII.
    if not re.fullmatch(r"[!-~]+", url) or re.search(r'[\\<>"^`{|}]', url):
        raise InvalidUrl(
            "The URL must consist of ASCII characters without spaces, backslashes, quotes and braces."
            " Write an international host name as xn--..."
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidUrl(_INVALID_HOST) from None
    schemes = ("https", "http") if debug else ("https",)
    if parts.scheme not in schemes:
        raise InvalidUrl(f"The URL must begin with {' or '.join(f'{s}://' for s in schemes)}.")
    if "@" in parts.netloc:
        raise InvalidUrl("The URL must not contain a user name or password.")
    if "#" in url:
        raise InvalidUrl("The URL must not contain a fragment (#).")
    # Older versions of Python ignore text around the brackets.
    if "[" in parts.netloc and not _BRACKETS.fullmatch(parts.netloc):
        raise InvalidUrl(_INVALID_HOST)
    if not (host := parts.hostname):
        raise InvalidUrl("The URL has no host.")
    target = Target(
        scheme=parts.scheme,
        host=_host(host, in_brackets="[" in parts.netloc),
        port=_port(parts),
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )
    _check_length(target.url)  # a URL without a path gets one
    return target


def check_host(host: str, *, debug: bool, resolver: Resolver, seconds: float) -> list[Address]:
    """Return the addresses of the host of a parsed URL. Raises InvalidUrl if any is not public."""
    if (literal := _literal(host)) is not None:
        if not _is_allowed(literal, debug=debug):
            raise InvalidUrl(f"The address {host} is not public; a public one is accepted.")
        return [literal]
    if _is_local_name(host) and not (debug and host == "localhost"):
        raise InvalidUrl(f"The host name {host} is not public; a public one is accepted.")
    found = [ipaddress.ip_address(text) for text in _resolve_within(seconds, resolver, host)]
    # A name with a public and a private address is refused too: it would reach the private one by chance.
    if not all(_is_allowed(address, debug=debug) for address in found):
        raise InvalidUrl(f"The host name {host} has an address that is not public.")
    return list(dict.fromkeys(found))


def is_public(address: Address) -> bool:
    """Return whether the whole Internet can reach the address.

    `is_global` alone differs between versions of Python, and accepts multicast and site-local addresses.
    """
    return (
        address.is_global
        and (isinstance(address, ipaddress.IPv4Address) or address in _GLOBAL_IPV6)
        and not any(address in network for network in _FORBIDDEN)
    )


def _check_length(url: str) -> None:
    if len(url) > LONGEST_URL:
        raise InvalidUrl(f"The URL has {len(url)} characters; at most {LONGEST_URL} are accepted.")


def _is_allowed(address: Address, *, debug: bool) -> bool:
    return is_public(address) or (debug and address.is_loopback)


def _port(parts: SplitResult) -> int:
    try:
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise InvalidUrl("The URL's port is not valid; ports from 1 to 65535 are accepted.")
    return port


def _host(host: str, *, in_brackets: bool) -> str:
    if in_brackets or host.replace(".", "").isdecimal():
        if (literal := _literal(host)) is None:
            raise InvalidUrl(
                f"The host {host} is not valid; write IPv4 addresses as four decimal numbers."
            )
        return str(literal)
    if len(host) > _LONGEST_NAME or not (_NAME.fullmatch(host) or host == "localhost"):
        raise InvalidUrl(
            f"The host {host} is not valid; a host name with a domain, without a dot at the end, is"
            " accepted."
        )
    return host


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_local_name(host: str) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in _LOCAL_NAMES)


def _resolve_within(seconds: float, resolver: Resolver, host: str) -> Sequence[str]:
    """Return the addresses, at least one. The system's resolver has no deadline, hence the thread."""
    answers: SimpleQueue[Sequence[str]] = SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(resolver(host))
        except (OSError, UnicodeError):
            answers.put(())

    Thread(target=look_up, name="webhooks-dns", daemon=True).start()
    try:
        found = answers.get(timeout=seconds)
    except Empty:
        raise InvalidUrl(f"The host name {host} was not resolved within {seconds:.3g} s.") from None
    if not found:
        raise InvalidUrl(f"The host name {host} cannot be resolved.")
    return found
