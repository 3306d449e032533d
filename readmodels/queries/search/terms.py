"""Recognize what was typed into the search box. These functions are pure.

Most texts can be read in several ways: "4242" ends a card or a telephone number, begins a reference, or is
an amount. Each reading is searched for.
"""

import re
from collections.abc import Iterator
from typing import ClassVar, Final
from uuid import UUID

from msgspec import Struct

from payments.customers import words
from payments.domain.text import searched
from readmodels.queries.search import amounts
from readmodels.queries.search.amounts import TypedAmount, plain_digits

FEWEST_ID_DIGITS: Final = 6  # fewer would find many ids by chance
_ID_DIGITS: Final = 32
_LONGEST_REFERENCE: Final = 255
_ID: Final = re.compile(rf"[0-9a-f-]{{{FEWEST_ID_DIGITS},36}}")
_HYPHENS: Final = (8, 12, 16, 20)
_LONGEST_CARD: Final = 60
_LAST_FOUR: Final = re.compile(
    r"(?:(?:visa|mastercard|maestro|amex|american express|discover|diners club|jcb|unionpay"
    r"|card|ending|in|with)\s*)*[x*#.\s\u2022\u00b7\u2026-]*(\d{4})"
)
_PHONE: Final = re.compile(r"\+?[\d\s().\-/\u2010-\u2015]+")
_NATIONAL_PREFIX: Final = re.compile(r"\(0\)")
_MOST_PHONE_DIGITS: Final = 15
_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]*")
# The beginning of the part before the @.
_LOCAL: Final = re.compile(r"(?=.*[^\W\d])[\w.!#$%&'*+/=?^`{|}~-]{3,64}")


class Term(Struct, frozen=True):
    """A reading of the typed text. `kind` is part of addresses."""

    kind: ClassVar[str]


class IdStart(Term, frozen=True):
    """The first or all hexadecimal digits of the id of a payment or a customer."""

    kind: ClassVar = "id"
    digits: str

    @property
    def range(self) -> tuple[UUID, UUID]:
        """Return the first and the last id that begin with the digits."""
        return UUID(self.digits.ljust(_ID_DIGITS, "0")), UUID(self.digits.ljust(_ID_DIGITS, "f"))

    def __str__(self) -> str:
        return "id" if len(self.digits) == _ID_DIGITS else "beginning of an id"


class LastFour(Term, frozen=True):
    kind: ClassVar = "card"
    digits: str

    def __str__(self) -> str:
        return "last four digits of a card"


class Amount(Term, frozen=True):
    kind: ClassVar = "amount"
    typed: TypedAmount

    def __str__(self) -> str:
        return f"amount {self.typed}"


class Email(Term, frozen=True):
    kind: ClassVar = "email"
    text: str

    def __str__(self) -> str:
        return "beginning of an e-mail address"


class Phone(Term, frozen=True):
    kind: ClassVar = "phone"
    digits: str

    def __str__(self) -> str:
        return "last digits of a telephone number"


class Reference(Term, frozen=True):
    """The beginning of the reference of a payment or a customer."""

    kind: ClassVar = "reference"
    text: str

    def __str__(self) -> str:
        return "beginning of a reference"


class Name(Term, frozen=True):
    """Words of a customer's name. `query` is a text search query of payments.customers.words."""

    kind: ClassVar = "name"
    query: str

    def __str__(self) -> str:
        return "words of a customer's name"


AnyTerm = IdStart | LastFour | Amount | Email | Phone | Reference | Name


def recognize(text: str) -> tuple[AnyTerm, ...]:
    """Return every reading of the text, none if it is empty."""
    text = searched(text)
    return tuple(_readings(text)) if text else ()


def _readings(text: str) -> Iterator[AnyTerm]:
    if digits := id_digits(text):
        yield IdStart(digits)
        if len(digits) == _ID_DIGITS:
            yield Reference(text)
            return
    plain = plain_digits(text)
    if last_four := _LAST_FOUR.fullmatch(plain.lower()[:_LONGEST_CARD]):
        yield LastFour(last_four[1])
    if amount := amounts.read(text):
        yield Amount(amount)
    if _EMAIL.fullmatch(text) or _LOCAL.fullmatch(text):
        yield Email(text)
    if phone := _phone_digits(plain):
        yield Phone(phone)
    if len(text) <= _LONGEST_REFERENCE:
        yield Reference(text)
    query = words.name_query(text) if any(map(str.isalpha, text)) else None
    if query:
        yield Name(query)


def id_digits(text: str) -> str | None:
    """Return the hexadecimal digits of an id or of its beginning, None if the text is not one."""
    typed = text.lower()
    try:
        return UUID(typed).hex
    except ValueError:
        pass
    if not _ID.fullmatch(typed):
        return None
    digits = typed.replace("-", "")
    written = "-".join(
        digits[start:end]
        for start, end in zip((0, *_HYPHENS), (*_HYPHENS, _ID_DIGITS), strict=True)
    )
    fits = typed == digits or written.startswith(typed)
    return digits if fits and FEWEST_ID_DIGITS <= len(digits) <= _ID_DIGITS else None


def _phone_digits(text: str) -> str | None:
    """Return the digits that a stored number in E.164 may end with, None if the text is not a number."""
    if not _PHONE.fullmatch(text):
        return None
    # Stored numbers have a country code instead of leading zeros.
    digits = re.sub(r"\D", "", _NATIONAL_PREFIX.sub("", text)).lstrip("0")
    return digits if words.FEWEST_DIGITS <= len(digits) <= _MOST_PHONE_DIGITS else None
