"""Read query parameters strictly: an unknown or wrong one is a problem."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote_plus, unquote_to_bytes

from rest_framework.request import Request

from payments.api.bodies import stored_text, wrong_text
from payments.api.problems.problem import FieldError, Problem, masked_name
from payments.domain.money import MoneyError, exponent
from payments.domain.text import TextError

# The default and the longest page of a list, and the longest range of days.
PAGE: Final = 50
LONGEST_PAGE: Final = 100
LONGEST_DAYS: Final = 366

_NOT_UTF_8: Final = "It is not valid UTF-8."
_MOST_SHOWN: Final = 20


class WrongValue(ValueError):
    """A wrong value, with the same code as in a body."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read(
    request: Request,
    readers: Mapping[str, Callable[[str], Any]],
    *,
    several: Collection[str] = (),
    together: Callable[[Mapping[str, Any]], Iterable[FieldError]] = lambda _: (),
) -> dict[str, Any]:
    """Return the parameters of the request by name. Raises Problem, which names every wrong one.

    Parameters in `several` may be repeated. Their value is the sorted list of distinct values.
    `together` checks all values at once. It gets None for a value that is wrong by itself.
    """
    wrong = _not_utf_8(request)
    broken = {error.field for error in wrong}
    values: dict[str, Any] = {}
    for name in request.query_params:
        if name in readers:
            values[name] = None
        if name in broken:
            continue
        if name not in readers:
            known = (
                f"Accepted are {', '.join(readers)}." if readers else "This address accepts none."
            )
            wrong.append(FieldError(masked_name(name), "unknown_parameter", known))
            continue
        given = request.query_params.getlist(name)
        if len(given) > 1 and name not in several:
            wrong.append(FieldError(name, "given_twice", "Give it once."))
            continue
        try:
            found = [readers[name](text) for text in given]
        except ValueError as error:
            wrong.append(FieldError(name, getattr(error, "code", "wrong_format"), str(error)))
            continue
        values[name] = sorted(set(found)) if name in several else found[0]
    wrong += together(values)
    if wrong:
        raise Problem.of_fields(wrong[:_MOST_SHOWN])
    return values


def _not_utf_8(request: Request) -> list[FieldError]:
    """Return an error for each parameter that is not UTF-8.

    Django would replace its invalid bytes by U+FFFD.
    """
    query = request.META.get("QUERY_STRING", "")
    if "%" not in query and query.isascii():
        return []
    wrong = []
    for pair in query.split("&"):
        name = pair.partition("=")[0]
        try:
            unquote_to_bytes(pair.encode("latin-1", "replace")).decode()
        except UnicodeDecodeError:
            wrong.append(FieldError(masked_name(unquote_plus(name)), "wrong_format", _NOT_UTF_8))
    return wrong


def in_path(name: str, value: str) -> list[FieldError]:
    """Return the errors of a text in the path."""
    # The server replaces bytes that are not UTF-8 by this character.
    if "\ufffd" in value:
        return [FieldError(name, "wrong_format", _NOT_UTF_8)]
    wrong = wrong_text(name, value)
    return [wrong] if wrong else []


def in_order(given: Mapping[str, Any], least: str, most: str) -> Iterator[FieldError]:
    """Yield an error if the range ends before it begins."""
    low, high = given.get(least), given.get(most)
    if low is not None and high is not None and low > high:
        yield FieldError(most, "out_of_range", f"It must not be less than {least}.")


def whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"It must be a number from {least} to {most}.")
        digits = text.lstrip("0") or "0"
        if len(digits) > len(str(most)) or not least <= int(digits) <= most:
            raise WrongValue("out_of_range", f"It must be from {least} to {most}.")
        return int(digits)

    return read


def choice(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise WrongValue("unknown_choice", f"It must be one of {', '.join(choices)}.")
        return text

    return read


def flag(text: str) -> bool:
    return choice("true", "false")(text) == "true"


def text(value: str) -> str:
    """Return an identifier in the form in which it is stored."""
    try:
        return stored_text("", value)
    except TextError as error:
        raise WrongValue(error.code, str(error)) from None


def currency(value: str) -> str:
    try:
        exponent(value)
    except MoneyError:
        # The message omits the value, which may be a card number.
        raise WrongValue("unknown_currency", "It is not an ISO 4217 currency in use.") from None
    return value
