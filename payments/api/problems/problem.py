"""Problem details as RFC 9457 has them. The codes are in `payments.api.problems.catalogue`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from msgspec import Meta, Struct

from payments.api.problems.catalogue import KINDS
from payments.domain.card_numbers import holds_card_number

# Each code has a page below this path. Its address is the `type` of the problems.
PATH: Final = "/api/problems"
CONTENT_TYPE: Final = "application/problem+json"


# What can be wrong with one field, parameter or header.
FIELD_CODES: Final[Mapping[str, str]] = {
    "missing": "It is required",
    "given_twice": "It is there more than once",
    "unknown_field": "There is no such field",
    "unknown_parameter": "There is no such parameter",
    "wrong_type": "It is of another JSON type",
    "wrong_format": "It cannot be read",
    "not_with_method": "It does not go with the payment's method",
    "not_with_ordering": "It does not go with this ordering",
    "unknown_choice": "It is none of the values that are possible",
    "out_of_range": "It is too small, too large or too far from another",
    "unknown_currency": "It is not an ISO 4217 currency in use",
    "amount_not_positive": "It is less than one minor unit",
    "amount_too_large": "It has more than twelve digits",
    "text_empty": "It has no visible character",
    "text_too_long": "It has too many characters",
    "text_not_printable": "It has a character that is not accepted",
    "text_has_outer_blanks": "It begins or ends with a blank",
    "card_number_refused": "It looks like a card number, which is never stored",
    "reference_taken": "Another payment has it",
    "differs": "It was something else in the first request",
}


class FieldError(Struct, frozen=True):
    """What is wrong with one field (or header, or parameter), with a code of its own."""

    field: Annotated[
        str, Meta(description="Its name, with dots where it is within another: `card.token`.")
    ]
    code: Annotated[
        str,
        Meta(
            description="What to decide by: it is never renamed.",
            extra_json_schema={"enum": sorted(FIELD_CODES)},
        ),
    ]
    detail: Annotated[str, Meta(description="What is wrong with it, for people to read.")]


class Problem(Exception):
    """A refusal that is answered as it is. `members` extend the problem, as RFC 9457 allows.

    None of them has the name of one that every problem has.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, str | int] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.kind = KINDS[code]
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers or {}
        self.members = members or {}

    @classmethod
    def of_field(cls, field: str, code: str, detail: str) -> "Problem":
        return cls.of_fields([FieldError(field, code, detail)])

    @classmethod
    def of_fields(cls, errors: Sequence[FieldError]) -> "Problem":
        detail = " ".join(f"{error.field}: {error.detail}" for error in errors)
        return cls("invalid_request", detail, errors=errors)


_LONGEST_NAME: Final = 100


_LEFT_OUT: Final = "(left out: it looks like a card number)"


def masked_name(name: str) -> str:
    """A name that a client made up, as far as it is repeated: never a card number."""
    # Looked at beyond what is told, or a number could be cut to where it is none.
    return _LEFT_OUT if holds_card_number(name[: 2 * _LONGEST_NAME]) else name[:_LONGEST_NAME]


def problem_details(
    problem: Problem, *, instance: str, request_id: str, origin: str = ""
) -> dict[str, Any]:
    """The problem's members, in JSON's terms but for the errors."""
    return {
        "type": f"{origin}{PATH}/{problem.code}",
        "title": problem.kind.title,
        "status": problem.kind.status.value,
        "code": problem.code,
        "detail": problem.detail,
        "instance": instance,
        "request_id": request_id,
        **({"errors": problem.errors} if problem.errors else {}),
        **problem.members,
    }


def instance_of(path: str) -> str:
    """Return the request's path, unless it holds a card number."""
    return "/(left-out)" if holds_card_number(path) else path


def _origin(request: HttpRequest) -> str:
    """Return scheme and host for an absolute address, "" if the host is not ours."""
    with suppress(DisallowedHost):
        return f"{request.scheme}://{request.get_host()}"
    return ""


def problem_response(problem: Problem, request: HttpRequest) -> HttpResponse:
    """The problem as the answer to `request`."""
    members = problem_details(
        problem,
        instance=instance_of(request.path),
        request_id=request.META["HTTP_X_REQUEST_ID"],
        origin=_origin(request),
    )
    return HttpResponse(
        msgspec.json.encode(members),
        status=problem.kind.status,
        content_type=CONTENT_TYPE,
        headers=dict(problem.headers),
    )
