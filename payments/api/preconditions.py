"""If-Match and If-None-Match: whoever has read a payment says which version of it they mean."""

import re
from collections.abc import Mapping
from typing import Final

from django.http import HttpResponse
from django.utils.http import parse_etags
from rest_framework.request import Request

from payments.api.base import without_body
from payments.api.problems import Problem

_ANY: Final = "*"
# An entity-tag is no number in general, but ours of payments are.
_VERSION: Final = re.compile(r'"([1-9][0-9]{0,8})"')
_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
# What no payment is ever at: a tag that we never gave out matches nothing.
_NEVER: Final = 0


def etag(version: int) -> str:
    """The ETag of a payment. A strong one, because If-Match compares no others.

    The version says everything about the bytes but the customer's reference, which whoever has the ETag
    has too: an erasure or a new name of theirs gives no new one.
    """
    return f'"{version}"'


def expected_version(request: Request) -> int | None:
    """The version that the request is about; None for any. Raises Problem."""
    given = request.headers.get("If-Match")
    if given is None or given.strip() == _ANY:
        return None
    if _TAG.fullmatch(given.strip()) is None:
        raise Problem.of_field("If-Match", "wrong_format", 'Give one ETag, like "2", or *.')
    version = _VERSION.fullmatch(given.strip())
    return int(version[1]) if version else _NEVER


def required_version(request: Request) -> int | None:
    """As `expected_version`, for a decision: it is about what somebody looked at. Raises Problem."""
    if "If-Match" not in request.headers:
        raise Problem(
            "precondition_required",
            "Send the header If-Match with the ETag of the payment that was looked at, or with * to"
            " decide whatever has happened since.",
        )
    return expected_version(request)


def not_modified(request: Request, headers: Mapping[str, str]) -> HttpResponse | None:
    """The answer without a body, if the client has what the ETag in `headers` stands for."""
    given = parse_etags(request.headers.get("If-None-Match", ""))
    current = headers.get("ETag", "").removeprefix("W/")
    if given != [_ANY] and current not in {tag.removeprefix("W/") for tag in given}:
        return None
    return without_body(304, headers)
