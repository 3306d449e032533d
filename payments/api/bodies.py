"""Request bodies of commands. The structs also describe the bodies in the OpenAPI document."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from msgspec import UNSET, Meta, Struct, structs

from payments.api.problems.problem import FieldError, Problem
from payments.customers import notes
from payments.domain.cards import Brand, PresentedCard
from payments.domain.methods import CARDS, Method
from payments.domain.money import MAX_MINOR, Money, MoneyError
from payments.domain.payment.codes import (
    ApprovalReason,
    CancellationReason,
    EscalationReason,
    RefundReason,
    RejectionReason,
)
from payments.domain.signals import (
    LONGEST_EMAIL,
    PresentedSignals,
    canonical_email,
    canonical_ip,
)
from payments.domain.text import TextError, checked_identifier, checked_text

REFERENCE_LENGTH: Final = 255
NOTE_LENGTH: Final = notes.LONGEST

MINOR: Final = Meta(
    description=f"In minor units of the currency, 1 to {MAX_MINOR}: 1999 is EUR 19.99.",
    examples=[1_500_000],
    extra_json_schema={"minimum": 1, "maximum": MAX_MINOR},
)
CURRENCY: Final = Meta(
    description="An ISO 4217 code in use.",
    examples=["USD"],
    extra_json_schema={"pattern": "^[A-Z]{3}$"},
)
IDENTIFIER: Final = (
    " Stored and returned in Unicode form NFC, with ordinary spaces and without invisible characters such"
    " as U+200B. Outer whitespace is refused. So is a card number, alone or as a group of its own: 15 or 16"
    " digits with the prefix and check digit of a card scheme. One in 43 random numbers of 16 digits looks"
    " like one. Digits next to letters and other lengths are accepted."
)
_CUSTOMER: Final = Meta(
    description="Your id of the customer." + IDENTIFIER,
    examples=["customer-456"],
    extra_json_schema={"minLength": 1, "maxLength": REFERENCE_LENGTH},
)
_REFERENCE: Final = Meta(
    description="Your id of the payment, permanently unique." + IDENTIFIER,
    examples=["order-1042"],
    extra_json_schema={"minLength": 1, "maxLength": REFERENCE_LENGTH},
)
_REFUND_REFERENCE: Final = Meta(
    description="Your id of the refund, permanently unique among your refunds: a second refund with it is"
    " refused, also with another `Idempotency-Key`." + IDENTIFIER,
    examples=["return-77"],
    extra_json_schema={"minLength": 1, "maxLength": REFERENCE_LENGTH},
)
REASON: Final = Meta(description="The reason code.")
NOTE: Final = Meta(
    description="An explanation. Line breaks are accepted. Card numbers, control characters and characters"
    " that reverse text are refused. Stored in Unicode form NFC, without outer whitespace.",
    extra_json_schema={"minLength": 1, "maxLength": NOTE_LENGTH},
)
_TOKEN: Final = Meta(
    description="The token of the card in your vault, always the same for a card. A card number is refused.",
    examples=["tok_1PqZ8k"],
    extra_json_schema={"minLength": 1, "maxLength": REFERENCE_LENGTH},
)
_LAST4: Final = Meta(
    pattern="^[0-9]{4}$", description="The last four digits of the card number.", examples=["4242"]
)
_CARD: Final = Meta(description="Only with `credit_card` and `debit_card`.")
_ALPHA_2: Final = Meta(pattern="^[A-Z]{2}$")
_COUNTRY: Final = Meta(
    # Not checked against the list, which lacks codes in common use, such as XK for Kosovo.
    description="The country that the payment is made from, for the risk rules: two letters of ISO 3166-1,"
    " including user-assigned codes such as XK.",
    examples=["DE"],
)
_IP_ADDRESS: Final = Meta(
    description="The IPv4 or IPv6 address that the customer pays from. Only a keyed hash is stored; it covers"
    " the first 64 bits of an IPv6 address.",
    examples=["203.0.113.7"],
    extra_json_schema={"minLength": 2, "maxLength": 45},
)
_DEVICE: Final = Meta(
    description="Your id of the customer's device, without outer whitespace. Only a keyed hash is stored.",
    examples=["device-7f3a"],
    extra_json_schema={"minLength": 1, "maxLength": REFERENCE_LENGTH},
)
_EMAIL: Final = Meta(
    description="The customer's e-mail address. Only a keyed hash is stored; case is ignored.",
    examples=["ada@example.com"],
    extra_json_schema={"format": "email", "minLength": 3, "maxLength": LONGEST_EMAIL},
)


class Body(Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of a command."""

    @classmethod
    def wrong_values(cls, values: Mapping[str, Any]) -> Iterator[FieldError]:  # noqa: ARG003 - for subclasses
        """Yield an error for each value that has the right type but is wrong.

        `values` maps the names of the sent fields to their values, or to None if the type is wrong.
        """
        return iter(())

    @classmethod
    def stored_text(cls, field: str, value: str) -> str:
        """Return the value of a field in the form in which it is stored. Raises TextError."""
        return stored_text(field, value)

    def refused(self) -> Problem:
        """Return the problem that names all wrong values."""
        return Problem.of_fields(list(self.wrong_values(self._sent())))

    def checked(self) -> dict[str, Any]:
        """Return the fields that have a value. Raises Problem if any is wrong."""
        sent = self._sent()
        if wrong := list(self.wrong_values(sent)):
            raise Problem.of_fields(wrong)
        return sent

    def _sent(self) -> dict[str, Any]:
        """Return the fields that have a value."""
        fields = structs.asdict(self).items()
        return {name: value for name, value in fields if value is not None and value is not UNSET}


class CardBody(Body, frozen=True, forbid_unknown_fields=True):
    """The card to pay with, without its number. The token is not stored."""

    token: Annotated[str, _TOKEN]
    brand: Annotated[Brand, Meta(description="The brand of the card.")]
    last4: Annotated[str, _LAST4]


class SubmitBody(Body, frozen=True, forbid_unknown_fields=True):
    """A payment to submit."""

    amount: Annotated[int, MINOR]
    currency: Annotated[str, CURRENCY]
    method: Annotated[Method, Meta(description="The payment method.")]
    customer_id: Annotated[str, _CUSTOMER]
    reference: Annotated[str | None, _REFERENCE] = None
    card: Annotated[CardBody | None, _CARD] = None
    country: Annotated[Annotated[str, _ALPHA_2] | None, _COUNTRY] = None
    ip_address: Annotated[str | None, _IP_ADDRESS] = None
    device_id: Annotated[str | None, _DEVICE] = None
    email: Annotated[str | None, _EMAIL] = None

    @classmethod
    def wrong_values(cls, values: Mapping[str, Any]) -> Iterator[FieldError]:
        yield from wrong_money(values)
        method = values.get("method")
        if "card" in values and method is not None and method not in CARDS:
            yield FieldError("card", "not_with_method", f"A payment by {method} has no card.")
        address, email = values.get("ip_address"), values.get("email")
        if address is not None and not _is_accepted(canonical_ip, address):
            accepted = "Give an IPv4 or IPv6 address, like 203.0.113.7 or 2001:db8::7."
            yield FieldError("ip_address", "wrong_format", accepted)
        if email is not None and not _is_accepted(canonical_email, email):
            accepted = "Give an e-mail address, like ada@example.com."
            yield FieldError("email", "wrong_format", accepted)

    def presented_card(self) -> PresentedCard | None:
        """Return the card, None without one. Raises Problem."""
        card = self.card
        if card is None:
            return None
        if self.method not in CARDS:
            raise self.refused()
        return PresentedCard(token=card.token, brand=card.brand, last4=card.last4)

    def presented_signals(self) -> PresentedSignals | None:
        """Return the values to hash, None if there are none. Raises Problem."""
        if self.ip_address is self.device_id is self.email is None:
            return None
        try:
            return PresentedSignals(
                ip_address=None if self.ip_address is None else canonical_ip(self.ip_address),
                device_id=self.device_id,
                email=None if self.email is None else canonical_email(self.email),
            )
        except ValueError as error:
            raise self.refused() from error

    def money(self) -> Money:
        """Return amount and currency. Raises Problem."""
        try:
            return Money.checked(self.amount, self.currency)
        except MoneyError as error:
            raise self.refused() from error


class NoBody(Body, frozen=True, forbid_unknown_fields=True):
    """The body of a command without fields."""


class EscalateBody(Body, frozen=True, forbid_unknown_fields=True):
    """The reason for escalating a payment to senior reviewers."""

    reason: Annotated[EscalationReason, REASON]
    note: Annotated[str, NOTE]


class ApproveBody(Body, frozen=True, forbid_unknown_fields=True):
    """The reason for approving a payment."""

    reason: Annotated[ApprovalReason, REASON]
    note: Annotated[str | None, NOTE] = None


class RejectBody(Body, frozen=True, forbid_unknown_fields=True):
    """The reason for rejecting a payment."""

    reason: Annotated[RejectionReason, REASON]
    note: Annotated[str | None, NOTE] = None


class CancelBody(Body, frozen=True, forbid_unknown_fields=True):
    """The reason for cancelling a payment."""

    reason: Annotated[CancellationReason, REASON]


class RefundBody(Body, frozen=True, forbid_unknown_fields=True):
    """The amount to refund, and the reason. Without an amount, the remaining amount is refunded."""

    reason: Annotated[RefundReason, REASON]
    amount: Annotated[int | None, MINOR] = None
    currency: Annotated[str | None, CURRENCY] = None
    reference: Annotated[str | None, _REFUND_REFERENCE] = None

    @classmethod
    def wrong_values(cls, values: Mapping[str, Any]) -> Iterator[FieldError]:
        for one, other in (("amount", "currency"), ("currency", "amount")):
            if other in values and one not in values:
                yield FieldError(one, "missing", "Give both amount and currency, or neither.")
        yield from wrong_money(values, refund=True)

    def money(self) -> Money | None:
        """Return amount and currency, None to refund the remaining amount. Raises Problem."""
        if self.amount is None and self.currency is None:
            return None
        if self.amount is None or self.currency is None:
            raise self.refused()
        try:
            return Money.checked(self.amount, self.currency, refund=True)
        except MoneyError as error:
            raise self.refused() from error


def wrong_money(values: Mapping[str, Any], *, refund: bool = False) -> Iterator[FieldError]:
    """Yield errors for amount and currency, each checked with a valid value for the other."""
    amount, currency = values.get("amount"), values.get("currency")
    for name, minor, code in (
        ("amount", 1 if amount is None else amount, "EUR"),
        ("currency", 1, currency or "EUR"),
    ):
        try:
            Money.checked(minor, code, refund=refund)
        except MoneyError as error:
            yield FieldError(name, error.code, str(error))


def _is_accepted(read: Callable[[str], str], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


_Body = TypeVar("_Body", bound=Body)


def with_stored_values(body: _Body) -> _Body:
    """Return the body with its texts and times as they are stored. Raises TextError."""
    changed: dict[str, Any] = {}
    for name in body.__struct_fields__:
        value = getattr(body, name)
        stored: Any = value
        if type(value) is str:
            stored = body.stored_text(name, value)
        elif isinstance(value, datetime):
            stored = _in_utc(value)
        elif isinstance(value, Body):
            stored = with_stored_values(value)
        if stored is not value:
            changed[name] = stored
    return structs.replace(body, **changed) if changed else body


def _in_utc(at: datetime) -> datetime:
    """Return the time in UTC, because PostgreSQL refuses to store times with some offsets."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return at  # no field accepts such a year


def stored_text(field: str, value: str) -> str:
    """Return the value of a field or parameter in the form in which it is stored. Raises TextError."""
    if field == "note":
        return checked_text(value, max_length=NOTE_LENGTH, multiline=True)
    return checked_identifier(value, max_length=REFERENCE_LENGTH, token=field == "token")


def wrong_text(
    field: str, value: str, stored: Callable[[str, str], str] = stored_text
) -> FieldError | None:
    """Return the error for a text, None if the text can be stored."""
    try:
        stored(field, value)
    except TextError as error:
        return FieldError(field, error.code, str(error))
    return None
