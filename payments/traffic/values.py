"""Check the values of a row: texts and codes."""

from enum import StrEnum
from typing import TypeVar

from payments.domain.text import TextError, checked_identifier, checked_text
from payments.traffic.layout import RowError

C = TypeVar("C", bound=StrEnum)


def identifier(field: str, value: str, *, max_length: int = 255) -> str:
    """Return the identifier as it is stored. Raises RowError."""
    try:
        return checked_identifier(value, max_length=max_length, pasted=True)
    except TextError as error:
        raise RowError(error.code, f"{field}: {error}") from error


def name(field: str, value: str, *, max_length: int = 200) -> str:
    """Return the name as it is stored. Raises RowError."""
    try:
        return checked_text(value, max_length=max_length)
    except TextError as error:
        raise RowError(error.code, f"{field}: {error}") from error


def choice(codes: type[C], value: str, *, code: str, what: str) -> C:
    """Return the member of `codes` with this value. Raises RowError with `code`."""
    try:
        return codes(value)
    except ValueError:
        known = ", ".join(codes)
        raise RowError(code, f"{value[:40]!r} is not {what}. Valid: {known}.") from None
