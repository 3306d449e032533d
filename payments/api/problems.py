"""What can go wrong, as RFC 9457 problem details: every code that clients may meet stands here."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from msgspec import Meta, Struct

from payments.domain.card_numbers import holds_card_number

# Where the codes are told one by one. A problem's `type` is the address of its own page.
PATH: Final = "/api/problems"
CONTENT_TYPE: Final = "application/problem+json"


class Kind(Struct, frozen=True):
    """A problem's HTTP status and what it is in general."""

    status: HTTPStatus
    title: str


KINDS: Final[Mapping[str, Kind]] = {
    # The request itself
    "invalid_json": Kind(HTTPStatus.BAD_REQUEST, "The body is not JSON"),
    "invalid_request": Kind(HTTPStatus.BAD_REQUEST, "The request says something impossible"),
    "filter_too_broad": Kind(HTTPStatus.BAD_REQUEST, "The filter finds too much"),
    "idempotency_key_missing": Kind(HTTPStatus.BAD_REQUEST, "The Idempotency-Key is missing"),
    "idempotency_key_invalid": Kind(HTTPStatus.BAD_REQUEST, "The Idempotency-Key cannot be used"),
    "idempotency_key_reused": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The Idempotency-Key was used for another request"
    ),
    "body_too_large": Kind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large"),
    "body_too_slow": Kind(HTTPStatus.REQUEST_TIMEOUT, "The body did not arrive in time"),
    "unsupported_media_type": Kind(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json"
    ),
    "method_not_allowed": Kind(HTTPStatus.METHOD_NOT_ALLOWED, "The method is not allowed here"),
    "not_acceptable": Kind(HTTPStatus.NOT_ACCEPTABLE, "Only JSON is spoken here"),
    # Who asks
    "not_authenticated": Kind(HTTPStatus.UNAUTHORIZED, "A valid API key is needed"),
    "permission_denied": Kind(HTTPStatus.FORBIDDEN, "The API key may not do this"),
    "throttled": Kind(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests"),
    # What it is about
    "not_found": Kind(HTTPStatus.NOT_FOUND, "There is nothing here"),
    "payment_not_found": Kind(HTTPStatus.NOT_FOUND, "There is no such payment"),
    "reference_taken": Kind(HTTPStatus.CONFLICT, "Another payment has this reference"),
    "payment_already_finished": Kind(HTTPStatus.CONFLICT, "The payment is finished"),
    "payment_under_review": Kind(HTTPStatus.CONFLICT, "The payment waits for review"),
    "payment_differs": Kind(HTTPStatus.CONFLICT, "The payment was initiated on other terms"),
    "not_under_review": Kind(HTTPStatus.CONFLICT, "The payment does not wait for a decision"),
    "review_expired": Kind(HTTPStatus.CONFLICT, "The time to decide is over"),
    "review_not_due": Kind(HTTPStatus.CONFLICT, "There is still time to decide"),
    "review_claimed": Kind(HTTPStatus.CONFLICT, "Somebody else has claimed the payment"),
    "review_not_claimed": Kind(HTTPStatus.CONFLICT, "Nobody has claimed the payment"),
    "review_escalated": Kind(HTTPStatus.CONFLICT, "The payment is with the senior reviewers"),
    "senior_reviewer_needed": Kind(HTTPStatus.FORBIDDEN, "A senior reviewer has to decide"),
    "another_person_needed": Kind(HTTPStatus.FORBIDDEN, "Somebody else has to approve"),
    "note_needed": Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "The command needs a note"),
    "not_refundable": Kind(HTTPStatus.CONFLICT, "Only a completed payment can be given back"),
    "refund_too_large": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "Refunds never add up to more than the payment"
    ),
    "refund_currency_differs": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "A payment is given back in its own currency"
    ),
    "stale_version": Kind(HTTPStatus.CONFLICT, "Somebody else changed the payment"),
    "precondition_failed": Kind(
        HTTPStatus.PRECONDITION_FAILED, "The payment is not at the version of If-Match"
    ),
    "precondition_required": Kind(
        HTTPStatus.PRECONDITION_REQUIRED, "A decision needs the version that it is about"
    ),
    # Our side
    "internal_error": Kind(HTTPStatus.INTERNAL_SERVER_ERROR, "Something failed here"),
    "queue_behind": Kind(HTTPStatus.SERVICE_UNAVAILABLE, "The queue has not come so far yet"),
    "projection_behind": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "The read model has not come so far yet"
    ),
    "projection_parked": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "The read model misses an event until it is repaired"
    ),
    "log_contradicted": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "No command is accepted until the event log is repaired"
    ),
    "temporarily_unavailable": Kind(HTTPStatus.SERVICE_UNAVAILABLE, "Try again in a moment"),
}


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
    "unknown_currency": "It is no ISO 4217 currency in use",
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


def told_name(name: str) -> str:
    """A name that a client made up, as far as it is repeated: never a card number."""
    # Looked at beyond what is told, or a number could be cut to where it is none.
    return _LEFT_OUT if holds_card_number(name[: 2 * _LONGEST_NAME]) else name[:_LONGEST_NAME]


def details(problem: Problem, *, instance: str, request_id: str) -> dict[str, Any]:
    """The problem's members, in JSON's terms but for the errors."""
    return {
        "type": f"{PATH}/{problem.code}",
        "title": problem.kind.title,
        "status": problem.kind.status.value,
        "code": problem.code,
        "detail": problem.detail,
        "instance": instance,
        "request_id": request_id,
        **({"errors": problem.errors} if problem.errors else {}),
        **problem.members,
    }


def instance(path: str) -> str:
    """Return the request's path, unless it holds what is never written down."""
    return "/(left-out)" if holds_card_number(path) else path


def response(problem: Problem, request: HttpRequest) -> HttpResponse:
    """The problem as the answer to `request`."""
    told = details(
        problem, instance=instance(request.path), request_id=request.META["HTTP_X_REQUEST_ID"]
    )
    return HttpResponse(
        msgspec.json.encode(told),
        status=problem.kind.status,
        content_type=CONTENT_TYPE,
        headers=dict(problem.headers),
    )
