"""The JSON that commands are sent as: one struct each, from which the documentation is made too."""

import json
import re
from contextlib import suppress
from typing import Annotated, Any, Final, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct
from rest_framework.request import Request

from payments.api.problems import Problem
from payments.domain.cards import Brand, PresentedCard
from payments.domain.events import (
    ApprovalReason,
    CancellationReason,
    EscalationReason,
    RefundReason,
    RejectionReason,
)
from payments.domain.methods import CARDS, Method
from payments.domain.money import MAX_MINOR, Money, MoneyError
from payments.domain.text import TextError, checked_text

MAX_BYTES: Final = 64 * 1024
REFERENCE_LENGTH: Final = 255
NOTE_LENGTH: Final = 2_000

_Body = TypeVar("_Body", bound=Struct)

_MINOR: Final = Meta(
    description=f"In minor units of the currency, 1 to {MAX_MINOR}: 1999 is EUR 19.99.",
    examples=[1_500_000],
    extra_json_schema={"minimum": 1, "maximum": MAX_MINOR},
)
_CURRENCY: Final = Meta(
    description="An ISO 4217 code in use.",
    examples=["USD"],
    extra_json_schema={"pattern": "^[A-Z]{3}$"},
)
_CUSTOMER: Final = Meta(
    description="Your own id of the customer.",
    examples=["customer-123"],
    extra_json_schema={"minLength": 1, "maxLength": REFERENCE_LENGTH},
)
_REFERENCE: Final = Meta(
    description="Your own id of the payment, unique for ever.",
    examples=["order-981"],
    extra_json_schema={"minLength": 1, "maxLength": REFERENCE_LENGTH},
)
_REASON: Final = Meta(description="Why, in a word that can be counted.")
_NOTE: Final = Meta(
    description="Why, in your own words. No card numbers.",
    extra_json_schema={"minLength": 1, "maxLength": NOTE_LENGTH},
)
_TOKEN: Final = Meta(
    description="What your vault calls the card; the same for the same card.",
    examples=["tok_1PqZ8k"],
    extra_json_schema={"minLength": 1, "maxLength": REFERENCE_LENGTH},
)
_LAST4: Final = Meta(
    pattern="^[0-9]{4}$", description="The last four digits of its number.", examples=["4242"]
)
_CARD: Final = Meta(description="Only with `credit_card` and `debit_card`.")
_ALPHA_2: Final = Meta(pattern="^[A-Z]{2}$")
_COUNTRY: Final = Meta(
    # Not looked up: XK is Kosovo to everybody but the list, and a payment is no place to argue it.
    description="Where the payment is made from, for the risk rules: two letters as in ISO 3166-1,"
    " user-assigned ones such as XK too.",
    examples=["DE"],
)


class CardBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The card that is paid with, without its number. The token itself is not stored."""

    token: Annotated[str, _TOKEN]
    brand: Annotated[Brand, Meta(description="Who issued it.")]
    last4: Annotated[str, _LAST4]


class SubmitBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A payment to take."""

    amount: Annotated[int, _MINOR]
    currency: Annotated[str, _CURRENCY]
    method: Annotated[Method, Meta(description="How it is paid.")]
    customer_id: Annotated[str, _CUSTOMER]
    reference: Annotated[str | None, _REFERENCE] = None
    card: Annotated[CardBody | None, _CARD] = None
    country: Annotated[Annotated[str, _ALPHA_2] | None, _COUNTRY] = None

    def presented_card(self) -> PresentedCard | None:
        """Raises Problem."""
        card = self.card
        if card is None:
            return None
        if self.method not in CARDS:
            raise Problem.of_field("card", "not_with_method", f"A {self.method} has no card.")
        return PresentedCard(token=card.token, brand=card.brand, last4=card.last4)

    def money(self) -> Money:
        """Raises Problem."""
        return _money(self.amount, self.currency)


class NoBody(Struct, frozen=True, forbid_unknown_fields=True):
    """For a command that has nothing to say."""


class EscalateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Why senior reviewers should decide."""

    reason: Annotated[EscalationReason, _REASON]
    note: Annotated[str, _NOTE]


class ApproveBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Why the payment may go through."""

    reason: Annotated[ApprovalReason, _REASON]
    note: Annotated[str | None, _NOTE] = None


class RejectBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Why the payment is refused."""

    reason: Annotated[RejectionReason, _REASON]
    note: Annotated[str | None, _NOTE] = None


class CancelBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Why the payment is called off."""

    reason: Annotated[CancellationReason, _REASON]


class RefundBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What to give back, and why; without an amount, all that is left."""

    reason: Annotated[RefundReason, _REASON]
    amount: Annotated[int | None, _MINOR] = None
    currency: Annotated[str | None, _CURRENCY] = None

    def money(self) -> Money | None:
        """Raises Problem."""
        if self.amount is None and self.currency is None:
            return None
        if self.amount is None or self.currency is None:
            missing = "amount" if self.amount is None else "currency"
            raise Problem.of_field(
                missing, "missing", "Give an amount and its currency, or neither."
            )
        return _money(self.amount, self.currency)


def _money(amount: int, currency: str) -> Money:
    try:
        return Money.checked(amount, currency)
    except MoneyError as error:
        field = "currency" if error.code == "unknown_currency" else "amount"
        raise Problem.of_field(field, error.code, str(error)) from error


def read(request: Request, body: type[_Body]) -> _Body:
    """The request's body, with every text in it checked. Raises Problem."""
    if body is NoBody and request.META.get("CONTENT_LENGTH") in {None, "", "0"}:
        return body()
    if request.content_type.partition(";")[0].strip().lower() != "application/json":
        raise Problem("unsupported_media_type", "Send the header Content-Type: application/json.")
    # Before it is read: a megabyte that nobody needs is not held in memory.
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdecimal():
        raise Problem("length_required", "Send the header Content-Length, not chunks.")
    if int(length) > MAX_BYTES:
        raise Problem("body_too_large", f"A body has at most {MAX_BYTES} bytes.")
    try:
        decoded = msgspec.json.decode(request.body, type=body)
        _names_once.decode(request.body.decode())
    except msgspec.ValidationError as error:
        raise _invalid(str(error), body) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _unreadable(request.body, error) from error
    _check_texts(decoded)
    return decoded


def _check_texts(said: Struct, within: str = "") -> None:
    for name in said.__struct_fields__:
        value = getattr(said, name)
        if type(value) is str:
            check_text(within + name, value, multiline=name == "note")
        elif isinstance(value, Struct):
            _check_texts(value, f"{name}.")


def check_text(field: str, value: str, *, multiline: bool = False) -> None:
    """Raises Problem."""
    try:
        length = NOTE_LENGTH if multiline else REFERENCE_LENGTH
        checked_text(value, max_length=length, multiline=multiline)
    except TextError as error:
        raise Problem.of_field(field, error.code, str(error)) from error


_PLACE: Final = re.compile(r" - at `\$\.([\w.]+)`$")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NAMED: Final = re.compile(r"Object (missing required|contains unknown) field `(.*)`$")


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> None:
    """Msgspec takes the last value; whoever checked the request before us may have taken the first."""
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise Problem.of_field(name[:100], "given_twice", "Give it once.")
        seen.add(name)


_names_once: Final = json.JSONDecoder(object_pairs_hook=_refuse_repeated_names)


def _unreadable(data: bytes, error: Exception) -> Problem:
    """A lone surrogate is no JSON to msgspec, which does not say where it is. Python reads it."""
    with suppress(ValueError, RecursionError):
        read = json.loads(data)
        for name, value in read.items() if isinstance(read, dict) else ():
            if _SURROGATE.search(f"{name}{value}"):
                return Problem.of_field(
                    name.encode(errors="replace").decode()[:100],
                    "text_not_printable",
                    "It holds half a character: a lone surrogate.",
                )
    detail = f"The body cannot be read: {error}." if data.strip() else "The body is empty."
    return Problem("invalid_json", detail)


def _invalid(message: str, body: type[Struct]) -> Problem:
    """Msgspec tells the field in its message."""
    place = _PLACE.search(message)
    field, fault = (place[1], message[: place.start()]) if place else ("", message)
    if named := _NAMED.match(fault):
        code = "missing" if named[1].startswith("missing") else "unknown_field"
        detail = "It is required." if code == "missing" else "There is no such field."
        return Problem.of_field(f"{field}.{named[2]}".lstrip(".")[:100], code, detail)
    if not field:
        return Problem("invalid_request", f"{message}.")
    if fault.startswith("Invalid enum"):
        # Not msgspec's words, which repeat the value: it may be what should never be written down.
        choices = ", ".join(_type_of(field, body))
        return Problem.of_field(field, "unknown_choice", f"It must be one of {choices}.")
    code = "wrong_type"
    if fault.startswith("Integer value out of range"):
        code = "out_of_range"
    elif "matching regex" in fault:
        code = "wrong_format"
    return Problem.of_field(field, code, f"{fault}.")


def _type_of(field: str, body: Any) -> Any:
    """The type of a field, or of a field of a field, that is not optional itself."""
    outer, _, inner = field.partition(".")
    hint = get_type_hints(body)[outer]
    if not inner:
        return hint
    (nested,) = (each for each in get_args(hint) if each is not type(None))
    return _type_of(inner, nested)
