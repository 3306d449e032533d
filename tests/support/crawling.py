"""Follow the links of the back office from page to page, as a person with a role could."""

import re
from collections import Counter
from html import unescape
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urljoin, urlsplit

from django.test import Client as Browser

_LINK: Final = re.compile(r"""(?:href|action|data-url|src)=["']([^"']+)["']""")
_LEFT_OUT: Final = ("/admin/logout/", "/static/", "/admin/jsi18n/")
_MOST: Final = 600
_VARIANTS: Final = 3


def crawl(person: Browser, *starts: str) -> dict[str, str]:
    """Return the content of each page that links lead to, by URL. No link may be refused.

    URLs that differ only in parameter values are read once. A path is read three times at most.
    """
    waiting, seen, found = list(starts), set[object](), dict[str, str]()
    variants = Counter[str]()
    while waiting:
        address = waiting.pop(0)
        parts = urlsplit(address)._replace(fragment="")
        shape = (parts.path, tuple(name for name, _ in parse_qsl(parts.query)))
        if shape in seen or parts.netloc or not parts.path.startswith("/admin/"):
            continue
        if parts.path.startswith(_LEFT_OUT) or variants[parts.path] == _VARIANTS:
            continue
        variants[parts.path] += 1
        seen.add(shape)
        answer = person.get(parts.geturl(), follow=True)
        content = b"".join(answer) if answer.streaming else answer.content
        html = content.decode(errors="replace")
        # After a redirect, this is the page at its end, which is what the person sees.
        found[address] = html
        # A page must link only to what the person may use. The start URLs are no links.
        assert answer.status_code != HTTPStatus.FORBIDDEN or address in starts, address
        assert len(found) < _MOST, "the crawl does not end"
        if answer.status_code == 200:
            waiting += [urljoin(parts.path, unescape(link)) for link in _LINK.findall(html)]
    return found
