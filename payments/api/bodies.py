"""The JSON that commands are sent as: one struct each, from which the documentation is made too."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Annotated, Any, Final, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct
from rest_framework.request import Request

from payments.api.http.media_types import require_json
from payments.api.problems import FieldError, Problem, told_name
from payments.customers import notes
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
from payments.domain.signals import PresentedSignals, canonical_email, canonical_ip
from payments.domain.text import TextError, checked_text

MAX_BYTES: Final = 64 * 1024
REFERENCE_LENGTH: Final = 255
NOTE_LENGTH: Final = notes.LONGEST

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
_IP_ADDRESS: Final = Meta(
    description="The IPv4 or IPv6 address that the customer pays from. Only a keyed hash is stored:"
    " of IPv6 the first 64 bits count.",
    examples=["203.0.113.7"],
    extra_json_schema={"minLength": 2, "maxLength": 45},
)
_DEVICE: Final = Meta(
    description="Your own id of the customer's device. Only a keyed hash is stored.",
    examples=["device-7f3a"],
    extra_json_schema={"minLength": 1, "maxLength": REFERENCE_LENGTH},
)
_EMAIL: Final = Meta(
    description="The customer's e-mail address. Only a keyed hash is stored; case is ignored.",
    examples=["ada@example.com"],
    extra_json_schema={"format": "email", "minLength": 3, "maxLength": 254},
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
    ip_address: Annotated[str | None, _IP_ADDRESS] = None
    device_id: Annotated[str | None, _DEVICE] = None
    email: Annotated[str | None, _EMAIL] = None

    def presented_card(self) -> PresentedCard | None:
        """Raises Problem."""
        card = self.card
        if card is None:
            return None
        if self.method not in CARDS:
            raise Problem.of_field("card", "not_with_method", f"A {self.method} has no card.")
        return PresentedCard(token=card.token, brand=card.brand, last4=card.last4)

    def presented_signals(self) -> PresentedSignals | None:
        """Return the values to hash, None without any. Raises Problem."""
        if self.ip_address is self.device_id is self.email is None:
            return None
        wrong: list[FieldError] = []
        ip_address = email = None
        if self.ip_address is not None:
            try:
                ip_address = canonical_ip(self.ip_address)
            except ValueError:
                accepted = "Give an IPv4 or IPv6 address, like 203.0.113.7 or 2001:db8::7."
                wrong.append(FieldError("ip_address", "wrong_format", accepted))
        if self.email is not None:
            try:
                email = canonical_email(self.email)
            except ValueError:
                accepted = "Give an e-mail address, like ada@example.com."
                wrong.append(FieldError("email", "wrong_format", accepted))
        if wrong:
            raise Problem.of_fields(wrong)
        return PresentedSignals(ip_address=ip_address, device_id=self.device_id, email=email)

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
        return _money(self.amount, self.currency, refund=True)


def _money(amount: int, currency: str, *, refund: bool = False) -> Money:
    try:
        return Money.checked(amount, currency, refund=refund)
    except MoneyError as error:
        field = "currency" if error.code == "unknown_currency" else "amount"
        raise Problem.of_field(field, error.code, str(error)) from error


def read(request: Request, body: type[_Body]) -> _Body:
    """The request's body, with every text in it checked. Raises Problem."""
    if body is NoBody and request.META.get("CONTENT_LENGTH") in {None, "", "0"}:
        return body()
    require_json(request)
    # Before it is read: a megabyte that nobody needs is not held in memory.
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdecimal():
        raise Problem("length_required", "Send the header Content-Length, not chunks.")
    if int(length) > MAX_BYTES:
        raise Problem("body_too_large", f"A body has at most {MAX_BYTES} bytes.")
    data = request.body
    try:
        decoded = msgspec.json.decode(data, type=body)
        _names_once.decode(data.decode())
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _refusal(data, body, error) from error
    if wrong := list(_wrong_texts(decoded)):
        raise Problem.of_fields(wrong)
    return decoded


def _wrong_texts(said: Struct, within: str = "") -> Iterator[FieldError]:
    for name in said.__struct_fields__:
        value = getattr(said, name)
        if type(value) is str:
            if wrong := _wrong_text(within + name, value, multiline=name == "note"):
                yield wrong
        elif isinstance(value, Struct):
            yield from _wrong_texts(value, f"{name}.")


def check_text(field: str, value: str, *, multiline: bool = False) -> None:
    """Raises Problem."""
    if wrong := _wrong_text(field, value, multiline=multiline):
        raise Problem.of_fields([wrong])


def _wrong_text(field: str, value: str, *, multiline: bool) -> FieldError | None:
    try:
        length = NOTE_LENGTH if multiline else REFERENCE_LENGTH
        checked_text(value, max_length=length, multiline=multiline)
    except TextError as error:
        return FieldError(field, error.code, str(error))
    return None


_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MOST_TOLD: Final = 20


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> None:
    """Msgspec takes the last value; whoever checked the request before us may have taken the first.

    The names are those of fields: it has refused all others.
    """
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise Problem.of_field(name, "given_twice", "Give it once.")
        seen.add(name)


_names_once: Final = json.JSONDecoder(object_pairs_hook=_refuse_repeated_names)


def _refusal(data: bytes, body: type[Struct], error: Exception) -> Problem:
    """Msgspec stops at the first field that is wrong, so each is read by itself."""
    try:
        wrong = list(islice(_wrong_fields(data, body), _MOST_TOLD))
    except msgspec.ValidationError as no_object:
        return Problem("invalid_request", f"{no_object}.")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        wrong = []
    if not wrong:
        # The first of two values was, and the second is not.
        with suppress(ValueError, RecursionError):
            _names_once.decode(data.decode())
    return Problem.of_fields(wrong) if wrong else _unreadable(data, error)


def _wrong_fields(
    data: bytes | msgspec.Raw, body: type[Struct], within: str = ""
) -> Iterator[FieldError]:
    sent = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    types = get_type_hints(body)
    for name in sent:
        if name not in types:
            yield FieldError(told_name(within + name), "unknown_field", "There is no such field.")
    for field in msgspec.structs.fields(body):
        name, of = within + field.name, types[field.name]
        value = sent.get(field.name)
        if value is None:
            if field.required:
                yield FieldError(name, "missing", "It is required.")
            continue
        nested = [each for each in get_args(of) if issubclass(each, Struct)]
        if nested and bytes(value).startswith(b"{"):
            yield from _wrong_fields(value, nested[0], f"{name}.")
            continue
        try:
            msgspec.json.decode(value, type=field.type)
        except msgspec.ValidationError as error:
            yield _wrong_value(name, str(error), of)


def _wrong_value(field: str, fault: str, of: Any) -> FieldError:
    """Msgspec tells in words what is wrong."""
    if fault.startswith("Invalid enum"):
        # Not in its words, which repeat the value: it may be what should never be written down.
        return FieldError(field, "unknown_choice", f"It must be one of {', '.join(of)}.")
    code = "wrong_type"
    if fault.startswith("Integer value out of range"):
        code = "out_of_range"
    elif "matching regex" in fault:
        code = "wrong_format"
    return FieldError(field, code, f"{fault}.")


def _unreadable(data: bytes, error: Exception) -> Problem:
    """A lone surrogate is no JSON to msgspec, which does not say where it is. Python reads it."""
    with suppress(ValueError, RecursionError):
        read = json.loads(data)
        for name, value in read.items() if isinstance(read, dict) else ():
            if _SURROGATE.search(f"{name}{value}"):
                return Problem.of_field(
                    told_name(name.encode(errors="replace").decode()),
                    "text_not_printable",
                    "It holds half a character: a lone surrogate.",
                )
    detail = f"The body cannot be read: {error}." if data.strip() else "The body is empty."
    if isinstance(error, msgspec.ValidationError):
        detail = "The body has another form than it should."  # its words repeat what was sent
    return Problem("invalid_json", detail)
