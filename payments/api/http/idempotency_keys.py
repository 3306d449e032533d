"""The Idempotency-Key header, as its IETF draft writes it: "K" in quotes, or K without them."""

import re
from typing import Final

from rest_framework.request import Request

from payments.api.problems.rendering import FieldError, Problem
from payments.domain.card_numbers import is_card_number

HEADER: Final = "Idempotency-Key"
# Visible ASCII without the characters that join header lines, begin parameters, quote or escape. Nothing has
# to be unescaped, so the key with and without quotes is the same.
_CHARACTERS: Final = r"[!#-+\--:<-\[\]-~]{1,255}"
PATTERN: Final = rf'^("{_CHARACTERS}"|{_CHARACTERS})$'
_KEY: Final = re.compile(rf'("?)({_CHARACTERS})\1')


def idempotency_key(request: Request) -> str:
    """Return the request's key, without quotes. Raises Problem."""
    given: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        raise Problem(
            "idempotency_key_missing",
            "Send the header Idempotency-Key with a new random value for each payment or decision,"
            " and the same one when you try again.",
        )
    found = _KEY.fullmatch(given.strip(" \t"))
    if found is None:
        raise _invalid("wrong_format", _fault(given))
    if is_card_number(found[2]):
        # The payment's id is derived from the key, so the key could be found from the id.
        raise _invalid("card_number_refused", "It looks like a card number. Use a random UUID.")
    return found[2]


def _fault(given: str) -> str:
    accepted = '1 to 255 visible ASCII characters without " , ; and \\, in quotes or not.'
    if "," in given:
        # The server joins header lines with a comma. Choosing one of two keys could make a second payment.
        return f"It has a comma: send the header once, with one key. Accepted are {accepted}"
    return f"Accepted are {accepted}"


def _invalid(code: str, detail: str) -> Problem:
    return Problem("idempotency_key_invalid", detail, errors=[FieldError(HEADER, code, detail)])
