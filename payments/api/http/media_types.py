"""Check the media type of bodies: JSON in UTF-8, not compressed."""

from typing import Final

from django.utils.http import parse_header_parameters
from rest_framework.request import Request

from payments.api.http.environ import SENT_CONTENT_TYPE
from payments.api.problems.rendering import Problem

_JSON: Final = "application/json"
_UTF_8: Final = {"utf-8", "utf8"}


def require_json(request: Request) -> None:
    """Raise Problem for any other media type or content coding."""
    coding = request.META.get("HTTP_CONTENT_ENCODING", "identity")
    if coding.strip().lower() not in {"identity", ""}:
        raise Problem(
            "unsupported_media_type",
            "Send the body as it is, without a Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )
    sent = request.META.get(SENT_CONTENT_TYPE) or request.META.get("CONTENT_TYPE", "")
    if sent != _JSON and not _is_json(sent):
        raise Problem(
            "unsupported_media_type",
            "Send the header Content-Type: application/json, in UTF-8.",
            headers={"Accept": _JSON},
        )


def _is_json(sent: str) -> bool:
    # A comma joins two header lines, of which a proxy may have honored either.
    if "," in sent:
        return False
    try:
        kind, parameters = parse_header_parameters(sent)
    except ValueError:  # an unknown charset of a parameter
        return False
    charset = parameters.get("charset", "utf-8")
    return kind.strip() == _JSON and charset.strip("\"' ").lower() in _UTF_8
