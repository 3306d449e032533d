"""The headers If-Match and If-None-Match, by which a client names the version that it has read."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from payments.aggregates import PAYMENT_AGGREGATE
from payments.api.http.base import without_body
from payments.api.problems.problem import Problem
from payments.events import replay

_ANY: Final = "*"
_TAG: Final = r'(?:W/)?"[\x21\x23-\x7e]*"'
_TAGS: Final = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_ONE_TAG: Final = re.compile(_TAG)
# Compressing proxies rewrite our tags: nginx weakens them, Apache and Jetty add the coding within the quotes.
# The version stays the same.
_OURS: Final = re.compile(r'(?:W/)?("[^"]*?)(?:--?(?:gzip|br|deflate|zstd))?"')
# The ETag of a payment is its version: see payments.api.representation.etag.
_VERSION: Final = re.compile(r'"([1-9][0-9]{0,8})"')
# No payment has version 0, so an unknown tag never matches.
_NEVER: Final = 0

PATTERN: Final = r'^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$'


def expected_version(request: Request, payment_id: UUID) -> int | None:
    """Return the version in If-Match, None for any version. Raises Problem."""
    given = request.headers.get("If-Match")
    if given is None or given.strip() == _ANY:
        return None
    if _TAGS.fullmatch(given) is None:
        raise Problem.of_field("If-Match", "wrong_format", 'Give an ETag, like "2", or *.')
    versions = {
        int(found[1]) if (found := _VERSION.fullmatch(tag)) else _NEVER for tag in _tags(given)
    }
    if len(versions) > 1:
        # Several versions were named: return the current version if it is one of them.
        payment = replay.load(PAYMENT_AGGREGATE, payment_id).state
        return payment.version if payment is not None and payment.version in versions else _NEVER
    return versions.pop()


def required_version(request: Request, payment_id: UUID) -> int | None:
    """Return the version in If-Match, which decisions require. Raises Problem."""
    if "If-Match" not in request.headers:
        raise Problem(
            "precondition_required",
            "Send the header If-Match with the ETag of the payment that the reviewer looked at, or with * to"
            " decide on any version.",
        )
    return expected_version(request, payment_id)


def not_modified(request: Request, headers: Mapping[str, str]) -> HttpResponse | None:
    """Return a 304 if If-None-Match holds the ETag in `headers`, otherwise None."""
    given = request.headers.get("If-None-Match", "")
    current = headers.get("ETag", "").removeprefix("W/")
    if given.strip() != _ANY and current not in _tags(given):
        return None
    return without_body(304, headers)


def _tags(given: str) -> Iterator[str]:
    """Yield the tags of a list as this service wrote them, without the additions of proxies."""
    return (_OURS.sub(r'\1"', tag) for tag in _ONE_TAG.findall(given))
