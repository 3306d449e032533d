"""Read a command from its request: the Idempotency-Key and the JSON body."""

import json
import re
from typing import Any, Final, TypeVar

import msgspec
from django.utils.http import parse_header_parameters
from rest_framework.request import Request

from payments.api.bodies import Body, NoBody, with_stored_values
from payments.api.http import wrong_fields
from payments.api.http.environ import SENT_CONTENT_TYPE
from payments.api.problems.problem import FieldError, Problem
from payments.domain.card_numbers import is_card_number
from payments.domain.text import TextError

MAX_BYTES: Final = 64 * 1024
KEY_HEADER: Final = "Idempotency-Key"
# Visible ASCII without the characters that join header lines, begin parameters, quote or escape. No
# key needs unescaping, so a key means the same with and without quotes.
_KEY_CHARACTERS: Final = r"[!#-+\--:<-\[\]-~]{1,255}"
KEY_PATTERN: Final = rf'^("{_KEY_CHARACTERS}"|{_KEY_CHARACTERS})$'
_KEY: Final = re.compile(rf'("?)({_KEY_CHARACTERS})\1')
_KEYS_ACCEPTED: Final = (
    'Use 1 to 255 visible ASCII characters without " , ; and \\, with or without quotes.'
)
_JSON: Final = "application/json"
_UTF_8: Final = {"utf-8", "utf8"}

_Body = TypeVar("_Body", bound=Body)


def idempotency_key(request: Request) -> str:
    """Return the request's key without quotes. Raises Problem.

    The IETF draft of the header puts the key in quotes. Clients may also omit the quotes.
    """
    given: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        raise Problem(
            "idempotency_key_missing",
            "Send the header Idempotency-Key with a new random value for each command."
            " Send the same value when you try again.",
        )
    found = _KEY.fullmatch(given.strip(" \t"))
    if found is None:
        detail = _KEYS_ACCEPTED
        if "," in given:
            # The server joins header lines with a comma. Choosing one of two keys could make a
            # second payment.
            detail = f"It has a comma. Send the header once, with one key. {_KEYS_ACCEPTED}"
        raise _invalid_key("wrong_format", detail)
    if is_card_number(found[2]):
        # The payment's id is an unkeyed hash of the key, so trying all card numbers would find the number.
        raise _invalid_key("card_number_refused", "It looks like a card number. Use a random UUID.")
    return found[2]


def _invalid_key(code: str, detail: str) -> Problem:
    return Problem("idempotency_key_invalid", detail, errors=[FieldError(KEY_HEADER, code, detail)])


def read_body(request: Request, body: type[_Body]) -> _Body:
    """Return the request's body, with its texts in the form in which they are stored. Raises Problem."""
    if body is NoBody and request.META.get("CONTENT_LENGTH") in {None, "", "0"}:
        return body()
    _require_json(request)
    # Check the length before reading the body, to keep a large body out of memory. For a chunked
    # body, the server has set the length.
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and int(length) > MAX_BYTES:
        raise Problem("body_too_large", f"A body has at most {MAX_BYTES} bytes.")
    data = request.body
    try:
        decoded = msgspec.json.decode(data, type=body)
        _refuse_repeated_names(data)
    except (msgspec.DecodeError, _RepeatedName, RecursionError, UnicodeDecodeError) as error:
        raise wrong_fields.problem(data, body, error, _repeated_name(data)) from error
    try:
        return with_stored_values(decoded)
    except TextError:
        raise wrong_fields.problem(data, body, None, None) from None


def _require_json(request: Request) -> None:
    """Raise Problem unless the body is JSON in UTF-8 without a content coding."""
    coding = request.META.get("HTTP_CONTENT_ENCODING", "identity")
    if coding.strip().lower() not in {"identity", ""}:
        raise Problem(
            "unsupported_media_type",
            "Send the body uncompressed, without a Content-Encoding.",
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
    # A comma joins two header lines. A proxy may have honored either of them.
    if "," in sent:
        return False
    try:
        kind, parameters = parse_header_parameters(sent)
    except ValueError:  # an unknown charset of a parameter
        return False
    charset = parameters.get("charset", "utf-8")
    return kind.strip() == _JSON and charset.strip("\"' ").lower() in _UTF_8


class _RepeatedName(ValueError):
    """A JSON object has the same name more than once."""


def _refuse_repeated_names(data: bytes) -> None:
    """Raise _RepeatedName if a name is repeated.

    msgspec takes the last value, while a proxy may check the first.
    """
    _names_once.decode(data.decode())


def _require_unique(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise _RepeatedName(name)
        seen.add(name)


_names_once: Final = json.JSONDecoder(object_pairs_hook=_require_unique)


def _repeated_name(data: bytes) -> str | None:
    """Return the first repeated name, None if there is none or if the data is not JSON."""
    try:
        _refuse_repeated_names(data)
    except _RepeatedName as repeated:
        return str(repeated)
    except (ValueError, RecursionError):
        pass  # not JSON, or a number of too many digits for Python
    return None
