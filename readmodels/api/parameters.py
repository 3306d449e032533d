"""Query parameters, read strictly: an unknown or impossible one is a problem, not a guess."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from typing import Any

from rest_framework.request import Request

from payments.api.bodies import check_text
from payments.api.problems import Problem, told_name


def read(
    request: Request, readers: Mapping[str, Callable[[str], Any]], *, several: Collection[str] = ()
) -> dict[str, Any]:
    """The parameters that were given, by name. Raises Problem.

    Those that `several` names may be repeated; theirs are the different values in order.
    """
    values: dict[str, Any] = {}
    for name in request.query_params:
        if name not in readers:
            known = ", ".join(readers)
            raise Problem.of_field(told_name(name), "unknown_parameter", f"Known are {known}.")
        given = request.query_params.getlist(name)
        if len(given) > 1 and name not in several:
            raise Problem.of_field(name, "given_twice", "Give it once.")
        try:
            found = [readers[name](text) for text in given]
        except ValueError as error:
            raise Problem.of_field(name, "wrong_format", str(error)) from None
        values[name] = sorted(set(found)) if name in several else found[0]
    return values


def in_order(given: Mapping[str, Any], least: str, most: str) -> None:
    """Nothing can be in a range that ends before it begins. Raises Problem."""
    if least in given and most in given and given[least] > given[most]:
        raise Problem.of_field(most, "out_of_range", f"It must not be less than {least}.")


def moment(text: str) -> datetime:
    """In UTC: PostgreSQL refuses offsets that Python takes."""
    try:
        at = datetime.fromisoformat(text)
        _check_date(text[:10], at.date())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        hint = " In an address the + of an offset is written %2B." if " " in text else ""
        raise ValueError(f"A time like 2026-11-23T12:00:00Z or a date is needed.{hint}") from None


def day(text: str) -> date:
    try:
        found = date.fromisoformat(text)
        _check_date(text, found)
    except ValueError:
        raise ValueError("A date like 2026-11-23 is needed.") from None
    return found


def _check_date(text: str, found: date) -> None:
    """Python takes weeks too, and dates without hyphens. Raises ValueError."""
    if text != found.isoformat():
        raise ValueError(text)


def whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
            raise ValueError(f"A number from {least} to {most} is needed.")
        if not least <= int(text) <= most:
            raise ValueError(f"It must be from {least} to {most}.")
        return int(text)

    return read


def choice(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"It must be one of {', '.join(choices)}.")
        return text

    return read


def flag(text: str) -> bool:
    return choice("true", "false")(text) == "true"


def text_of(name: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        check_text(name, value)
        return value

    return read
