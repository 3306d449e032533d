"""Define problems, and render them in responses as the problem details of RFC 9457."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from msgspec import Meta, Struct

from payments.api.problems.catalogue import KINDS
from payments.domain.card_numbers import holds_card_number

# Each code has a page below this path. The address of the page is the `type` of a problem.
PATH: Final = "/api/problems"
CONTENT_TYPE: Final = "application/problem+json"


# The codes for one wrong field, parameter or header.
FIELD_CODES: Final[Mapping[str, str]] = {
    "missing": "It is required",
    "given_twice": "It was sent more than once",
    "unknown_field": "The field is unknown",
    "unknown_parameter": "The parameter is unknown",
    "wrong_type": "It has another JSON type",
    "wrong_format": "It has another format",
    "not_with_method": "It is not accepted for the payment's method",
    "not_with_ordering": "It is not accepted with this ordering",
    "unknown_choice": "It is not one of the accepted values",
    "out_of_range": "It is too small, too large or too far from another value",
    "unknown_currency": "It is not an ISO 4217 currency in use",
    "amount_not_positive": "It is less than one minor unit",
    "amount_too_large": "It has more than twelve digits",
    "text_empty": "It has no visible character",
    "text_too_long": "It has too many characters",
    "text_not_printable": "It contains a character that is not accepted",
    "text_has_outer_blanks": "It begins or ends with whitespace",
    "card_number_refused": "It looks like a card number, which is never stored",
    "position_ahead": "The log has not reached this position",
    "url_refused": "It is not a URL to which messages are sent",
    "reference_taken": "Another payment has this reference",
    "differs": "It differs from the first request or notice",
}


class FieldError(Struct, frozen=True):
    """An error of one field, header or parameter."""

    field: Annotated[
        str, Meta(description="Its name, with a dot for a field within another one: `card.token`.")
    ]
    code: Annotated[
        str,
        Meta(
            description="A code for programs. Codes are never renamed.",
            extra_json_schema={"enum": sorted(FIELD_CODES)},
        ),
    ]
    detail: Annotated[str, Meta(description="An explanation for people.")]


class Problem(Exception):
    """A refusal, raised by views and rendered by the exception handler.

    `retry_after` is the header Retry-After, in seconds. `members` are additional members, as RFC 9457 allows.
    They must not reuse the name of a standard member.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        retry_after: int | None = None,
        members: Mapping[str, str | int] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.kind = KINDS[code]
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)
        self.members = members or {}

    @classmethod
    def of_field(cls, field: str, code: str, detail: str) -> "Problem":
        """Return an `invalid_request` with one wrong field."""
        return cls.of_fields([FieldError(field, code, detail)])

    @classmethod
    def of_fields(cls, errors: Sequence[FieldError]) -> "Problem":
        """Return an `invalid_request` with several wrong fields."""
        detail = " ".join(f"{error.field}: {error.detail}" for error in errors)
        return cls("invalid_request", detail, errors=errors)


_LONGEST_NAME: Final = 100
_LEFT_OUT: Final = "(left out: it looks like a card number)"


def masked_name(name: str) -> str:
    """Return a field name from the client, truncated, or a placeholder if it has a card number."""
    # Search more text than is returned, because truncation must not hide a card number.
    return _LEFT_OUT if holds_card_number(name[: 2 * _LONGEST_NAME]) else name[:_LONGEST_NAME]


def problem_details(
    problem: Problem, *, instance: str, request_id: str, origin: str = ""
) -> dict[str, Any]:
    """Return all members of the problem. `origin` makes its type an absolute address."""
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
    """Return the path of the request, or a placeholder if it holds a card number."""
    return "/(left-out)" if holds_card_number(path) else path


def _origin(request: HttpRequest) -> str:
    """Return scheme and host of the request, "" if the host is not allowed."""
    with suppress(DisallowedHost):
        return f"{request.scheme}://{request.get_host()}"
    return ""


class ProblemResponse(HttpResponse):
    """A response with a problem. `problem` is the problem's code, for the log."""

    problem: str


def problem_response(problem: Problem, request: HttpRequest) -> ProblemResponse:
    """Return the problem as the answer to `request`."""
    members = problem_details(
        problem,
        instance=instance_of(request.path),
        request_id=request.META["HTTP_X_REQUEST_ID"],
        origin=_origin(request),
    )
    response = ProblemResponse(
        msgspec.json.encode(members),
        status=problem.kind.status,
        content_type=CONTENT_TYPE,
        headers=problem.headers,
    )
    response.problem = problem.code
    return response
