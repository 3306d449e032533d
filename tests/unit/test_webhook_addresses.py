"""The URLs that an endpoint may have. No test needs a name server."""

import ipaddress
import threading
import time
from collections.abc import Sequence
from typing import Final

import pytest

from readmodels.webhooks.addresses import (
    InvalidUrl,
    check_host,
    check_url,
    is_public,
    parse,
    resolve,
)

PUBLIC: Final = "93.184.215.14"
PUBLIC_IPV6: Final = "2606:4700:4700::1111"

FORBIDDEN_ADDRESSES: Final = {
    "loopback": "127.0.0.1",
    "loopback, another one": "127.255.255.254",
    "this network": "0.0.0.0",
    "this network, another one": "0.1.2.3",
    "private 10": "10.0.0.1",
    "private 172": "172.31.255.255",
    "private 192": "192.168.1.1",
    "link-local metadata": "169.254.169.254",
    "metadata of Azure": "168.63.129.16",
    "metadata of Oracle": "192.0.0.192",
    "metadata of Alibaba": "100.100.100.200",
    "shared": "100.64.0.1",
    "documentation 1": "192.0.2.1",
    "documentation 2": "198.51.100.1",
    "documentation 3": "203.0.113.1",
    "benchmark": "198.19.255.255",
    "6to4 relay": "192.88.99.1",
    "multicast": "224.0.0.1",
    "multicast, administratively scoped": "239.255.255.250",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "IPv6 loopback": "::1",
    "IPv6 unspecified": "::",
    "IPv6 mapped": "::ffff:10.0.0.1",
    "IPv6 mapped, public": "::ffff:93.184.215.14",
    "IPv6 mapped, in hexadecimal": "::ffff:7f00:1",
    "IPv6 compatible": "::10.0.0.1",
    "IPv6 translated": "64:ff9b::10.0.0.1",
    "IPv6 translated, public": "64:ff9b::5db8:d70e",
    "IPv6 translated locally": "64:ff9b:1::10.0.0.1",
    "IPv6 translated by SIIT": "::ffff:0:10.0.0.1",
    "IPv6 6to4": "2002:a00:1::1",
    "IPv6 Teredo": "2001:0:a00:1::1",
    "IPv6 ORCHID": "2001:20::1",
    "IPv6 benchmark": "2001:2::1",
    "IPv6 documentation": "2001:db8::1",
    "IPv6 documentation, newer": "3fff::1",
    "IPv6 link-local": "fe80::1",
    "IPv6 site-local": "fec0::1",
    "IPv6 unique-local": "fc00::1",
    "IPv6 metadata of AWS": "fd00:ec2::254",
    "IPv6 multicast": "ff02::1",
    "IPv6 multicast, global": "ff0e::1",
    "IPv6 discard": "100::1",
    "IPv6 segment routing": "5f00::1",
    "IPv6 not allocated": "4000::1",
}

# Spellings that some parser reads as a forbidden address or name.
FORBIDDEN_HOSTS: Final = {
    "decimal": "2130706433",
    "hexadecimal": "0x7f000001",
    "hexadecimal parts": "0x7f.0x0.0x0.0x1",
    "octal": "017700000001",
    "octal parts": "0177.0.0.1",
    "leading zeros": "127.000.000.001",
    "mixed": "0xa9.254.0251.254",
    "two parts": "127.1",
    "three parts": "10.0.1",
    "one part": "0",
    "too large": "4294967297",
    "five parts": "127.0.0.1.1",
    "trailing dot": "127.0.0.1.",
    "two trailing dots": "127.0.0.1..",
    "full-width digits": "１２７.０.０.１",
    "circled digits": "①②⑦.⓪.⓪.①",
    "ideographic full stops": "127。0。0。1",
    "half-width full stops": "127｡0｡0｡1",
    "Arabic digits": "١٢٧.٠.٠.١",
    "percent-encoded": "127%2e0%2e0%2e1",
    "percent-encoded name": "%6c%6f%63alhost",
    "NUL": "127.0.0.1%00.example.com",
    "IPv6 in full": "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "IPv6 with a zone": "[fe80::1%25eth0]",
    "IPv6 loopback with a zone": "[::1%25lo]",
    "public IPv6 with a zone": f"[{PUBLIC_IPV6}%251]",
    "text before brackets": f"x[{PUBLIC_IPV6}]",
    "text after brackets": f"[{PUBLIC_IPV6}]x",
    "IPv6 without brackets": "::1",
    "IPv6 that ends nowhere": "[::1",
    "IPvFuture": "[v1.127.0.0.1]",
    "IPv4 in brackets": "[127.0.0.1]",
    "localhost": "localhost",
    "localhost in capitals": "LOCALHOST",
    "localhost with a dot": "localhost.",
    "subdomain of localhost": "a.localhost",
    "localdomain": "localhost.localdomain",
    "full-width localhost": "ｌｏｃａｌｈｏｓｔ",
    "IDNA": "bücher.example",
    "sharp s": "faß.example",
    "soft hyphen": "local\u00adhost",
    "one label": "intranet",
    "one label, metadata": "metadata",
    "metadata of Google": "metadata.google.internal",
    "mDNS": "printer.local",
    "home network": "router.home.arpa",
    "Kubernetes": "api.default.svc.cluster.local",
    "empty label": "a..example.com",
    "empty first label": ".example.com",
    "hyphen first": "-a.example.com",
    "hyphen last": "a-.example.com",
    "label of 64 characters": "a" * 64 + ".example.com",
    "name of 254 characters": ".".join(["a" * 49] * 5) + ".info",
    "trailing dot of a public name": "example.com.",
    "top level of digits": "example.123",
}

INVALID_URLS: Final = {
    "empty": "",
    "no scheme": "example.com/hook",
    "no scheme, slashes": "//example.com/hook",
    "http": "http://example.com/hook",
    "ftp": "ftp://example.com/hook",
    "file": "file:///etc/passwd",
    "gopher": "gopher://example.com:6379/_FLUSHALL",
    "no host": "https:///hook",
    "no slashes": "https:example.com",
    "one slash": "https:/example.com",
    "three slashes": "https:///example.com",
    "backslashes": "https:\\\\example.com\\@10.0.0.1",
    "user": "https://user@example.com/",
    "user and password": "https://user:secret@example.com/",
    "empty user": "https://@example.com/",
    "host as user": "https://example.com@10.0.0.1/",
    "host as user, encoded": "https://example.com%40@10.0.0.1/",
    "fragment": "https://example.com/#a",
    "empty fragment": "https://example.com/#",
    "fragment with a user": "https://example.com#@10.0.0.1/",
    "port 0": "https://example.com:0/",
    "port 65536": "https://example.com:65536/",
    "negative port": "https://example.com:-1/",
    "port of letters": "https://example.com:https/",
    "two ports": "https://example.com:443:80/",
    "space": "https://example.com/a b",
    "space in front": " https://example.com/",
    "newline": "https://example.com/a\nhost: b",
    "newline at the end": "https://example.com/\n",
    "tab in the host": "https://exam\tple.com/",
    "NUL": "https://example.com/\0",
    "non-ASCII path": "https://example.com/bücher",
    "braces": "https://example.com/{id}",
}


def public(host: str) -> Sequence[str]:
    """Resolve every name to a public address, so that only the text of the URL can be refused."""
    return [PUBLIC]


@pytest.mark.parametrize("address", FORBIDDEN_ADDRESSES.values(), ids=list(FORBIDDEN_ADDRESSES))
class TestForbiddenAddress:
    """The lists in `addresses` refuse all of these without `is_global`. Each line is needed."""

    def test_check_url_refuses_forbidden_address_as_host(self, address: str) -> None:
        host = f"[{address}]" if ":" in address else address

        with pytest.raises(InvalidUrl, match=r"is not public"):
            check_url(f"https://{host}/hook", debug=False, resolver=public)

    def test_check_url_refuses_name_of_forbidden_address(self, address: str) -> None:
        with pytest.raises(InvalidUrl, match=r"hooks\.example\.com has an address"):
            check_url("https://hooks.example.com/", debug=False, resolver=lambda _: [address])

    @pytest.mark.parametrize("order", [1, -1])
    def test_check_url_refuses_forbidden_address_among_public_ones(
        self, address: str, order: int
    ) -> None:
        """All addresses are checked. requests-hardened checks only the first one."""
        answer = [PUBLIC, PUBLIC_IPV6, address][::order]

        with pytest.raises(InvalidUrl):
            check_url("https://hooks.example.com/", debug=False, resolver=lambda _: answer)


@pytest.mark.parametrize("host", FORBIDDEN_HOSTS.values(), ids=list(FORBIDDEN_HOSTS))
def test_check_url_refuses_forbidden_spelling_of_host(host: str) -> None:
    with pytest.raises(InvalidUrl):
        check_url(f"https://{host}/hook", debug=False, resolver=public)


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "10.0.1", "0", "::ffff:127.0.0.1"],
)
def test_check_host_refuses_numbers_that_the_system_reads_as_addresses(host: str) -> None:
    """The second check suffices alone: the C library reads these as addresses, without DNS."""
    with pytest.raises(InvalidUrl):
        check_host(host, debug=False, resolver=resolve, seconds=3)


@pytest.mark.parametrize("url", INVALID_URLS.values(), ids=list(INVALID_URLS))
def test_check_url_refuses_invalid_url(url: str) -> None:
    with pytest.raises(InvalidUrl):
        check_url(url, debug=False, resolver=public)


def test_check_url_accepts_at_most_500_characters() -> None:
    longest = "https://example.com/".ljust(500, "a")

    assert check_url(longest, debug=False, resolver=public) == longest
    with pytest.raises(InvalidUrl, match=r"501 characters; at most 500"):
        check_url(longest + "a", debug=False, resolver=public)
    with pytest.raises(InvalidUrl, match=r"501 characters; at most 500"):
        check_url("https://example.com?".ljust(500, "a"), debug=False, resolver=public)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/A?b=C&d", "https://example.com/A?b=C&d"),
        ("https://example.com:/", "https://example.com/"),
        ("https://example.com:8443?a", "https://example.com:8443/?a"),
        ("https://my_app.xn--bcher-kva.example/%20", "https://my_app.xn--bcher-kva.example/%20"),
        ("https://93.184.215.14:1/", "https://93.184.215.14:1/"),
        ("https://[2606:4700:4700:0:0:0:0:1111]:65535/", "https://[2606:4700:4700::1111]:65535/"),
        ("https://127.0.0.1.example.com/", "https://127.0.0.1.example.com/"),
    ],
)
def test_check_url_returns_normal_form(url: str, normal: str) -> None:
    assert check_url(url, debug=False, resolver=public) == normal
    assert check_url(normal, debug=False, resolver=public) == normal


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/hook",
        "http://[::1]/hook",
        "http://localhost:9000/hook",
        "https://example.com/",
        "http://example.com/",
    ],
)
def test_check_url_accepts_this_machine_with_debug(url: str) -> None:
    def answer(host: str) -> Sequence[str]:
        return ["::1", "127.0.0.1"] if host == "localhost" else [PUBLIC]

    assert check_url(url, debug=True, resolver=answer) == url


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/", "http://169.254.169.254/", "http://0.0.0.0/", "http://a.localhost/"],
)
def test_check_url_refuses_other_private_addresses_with_debug(url: str) -> None:
    with pytest.raises(InvalidUrl):
        check_url(url, debug=True, resolver=public)


def test_check_url_refuses_name_that_does_not_resolve() -> None:
    def unknown(host: str) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(InvalidUrl, match=r"hooks\.example\.com cannot be resolved"):
        check_url("https://hooks.example.com/", debug=False, resolver=unknown)


def test_check_url_refuses_name_without_addresses() -> None:
    with pytest.raises(InvalidUrl, match=r"cannot be resolved"):
        check_url("https://hooks.example.com/", debug=False, resolver=lambda _: [])


def test_check_host_gives_up_when_resolving_takes_too_long() -> None:
    """The system's resolver may take half a minute."""
    end = threading.Event()

    def slow(host: str) -> Sequence[str]:
        end.wait(10)
        return [PUBLIC]

    started = time.monotonic()

    with pytest.raises(InvalidUrl, match=r"was not resolved within 0\.05 s"):
        check_host("hooks.example.com", debug=False, resolver=slow, seconds=0.05)

    assert time.monotonic() - started < 5
    end.set()


def test_parse_splits_url() -> None:
    target = parse("https://[2606:4700::1]:8443/a?b", debug=False)

    assert (target.host, target.port, target.path) == ("2606:4700::1", 8443, "/a?b")
    assert target.authority == "[2606:4700::1]:8443"


@pytest.mark.parametrize(
    "address", [PUBLIC, PUBLIC_IPV6, "1.1.1.1", "223.255.255.255", "2a00::1", "100.63.255.255"]
)
def test_is_public_accepts_public_address(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
