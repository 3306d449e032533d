"""Find everything that is wrong with a body, field by field. Valid bodies do not pay for the search."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, Final, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Raw, Struct, structs

from payments.api.problems.rendering import FieldError, Problem, told_name
from payments.customers import notes
from payments.domain.text import TextError, checked_identifier, checked_text

_Struct = TypeVar("_Struct", bound=Struct)

REFERENCE_LENGTH: Final = 255
NOTE_LENGTH: Final = notes.LONGEST
_MOST_TOLD: Final = 20
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Body(Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of a command."""

    @classmethod
    def wrong_values(cls, values: Mapping[str, Any]) -> Iterator[FieldError]:  # noqa: ARG003 - for others
        """Yield values that are wrong although their form is right. `values` has None for a wrong form."""
        return iter(())

    def refused(self) -> Problem:
        """Return the problem that names all wrong values."""
        sent = {name: value for name, value in structs.asdict(self).items() if value is not None}
        return Problem.of_fields(list(self.wrong_values(sent)))


class GivenTwice(ValueError):
    """A name that an object has more than once."""


def refuse_repeated_names(data: bytes) -> None:
    """Raise GivenTwice for a repeated name: msgspec takes the last value, a proxy may check the first."""
    _names_once.decode(data.decode())


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise GivenTwice(name)
        seen.add(name)


_names_once: Final = json.JSONDecoder(object_pairs_hook=_refuse_repeated)


def with_stored_texts(said: _Struct) -> _Struct:
    """Return the body with its texts as they are stored. Raises TextError."""
    changed: dict[str, Any] = {}
    for name in said.__struct_fields__:
        value = getattr(said, name)
        stored: Any = value
        if type(value) is str:
            stored = stored_text(name, value)
        elif isinstance(value, Struct):
            stored = with_stored_texts(value)
        if stored is not value:
            changed[name] = stored
    return structs.replace(said, **changed) if changed else said


def stored_text(field: str, value: str) -> str:
    """Return the value of a field or parameter as it is stored. Raises TextError."""
    if field == "note":
        return checked_text(value, max_length=NOTE_LENGTH, multiline=True)
    return checked_identifier(value, max_length=REFERENCE_LENGTH, token=field == "token")


def wrong_text(field: str, value: str) -> FieldError | None:
    """Return the error of a text, None if it can be stored."""
    try:
        stored_text(field, value)
    except TextError as error:
        return FieldError(field, error.code, str(error))
    return None


def refusal(data: bytes, body: type[Struct], error: Exception | None) -> Problem:
    """Return the problem that names everything wrong. `error` is the first one, where msgspec stopped."""
    wrong = []
    try:
        wrong = list(islice(_wrong_fields(data, body), _MOST_TOLD))
    except msgspec.ValidationError as no_object:
        return Problem("invalid_request", f"{no_object}.")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    try:
        refuse_repeated_names(data)
    except GivenTwice as twice:
        wrong.append(FieldError(told_name(str(twice)), "given_twice", "Give it once."))
    except (ValueError, RecursionError):
        pass  # not JSON, or a number of too many digits for Python
    return Problem.of_fields(wrong) if wrong else _unreadable(data, error)


def _wrong_fields(data: bytes | Raw, body: type[Struct], within: str = "") -> Iterator[FieldError]:
    sent = msgspec.json.decode(data, type=dict[str, Raw])
    types = get_type_hints(body)
    for name in sent:
        if name not in types:
            yield FieldError(told_name(within + name), "unknown_field", "There is no such field.")
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(body):
        name, of = within + field.name, types[field.name]
        value = sent.get(field.name)
        if value is None:
            if field.required:
                yield FieldError(name, "missing", "It is required.")
            continue
        if bytes(value) == b"null" and not field.required:
            continue
        values[field.name] = None
        nested = [each for each in get_args(of) if issubclass(each, Struct)]
        if nested and bytes(value).startswith(b"{"):
            yield from _wrong_fields(value, nested[0], f"{name}.")
            values[field.name] = value
            continue
        try:
            found = msgspec.json.decode(value, type=field.type)
        except msgspec.ValidationError as error:
            yield _wrong_value(name, str(error), of)
            continue
        wrong = wrong_text(field.name, found) if type(found) is str else None
        if wrong is None:
            values[field.name] = found
        else:
            yield FieldError(name, wrong.code, wrong.detail)
    if issubclass(body, Body):
        yield from body.wrong_values(values)


def _wrong_value(field: str, fault: str, of: Any) -> FieldError:
    """Return the error behind a message of msgspec."""
    if fault.startswith("Invalid enum"):
        # Without its text, which repeats the value: that may be a card number.
        return FieldError(field, "unknown_choice", f"It must be one of {', '.join(of)}.")
    code = "wrong_type"
    if fault.startswith("Integer value out of range"):
        code = "out_of_range"
    elif "matching regex" in fault:
        code = "wrong_format"
    return FieldError(field, code, f"{fault}.")


def _unreadable(data: bytes, error: Exception | None) -> Problem:
    """Return the problem of a body that msgspec cannot read. Python finds the field of a lone surrogate."""
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
        detail = "The body has another form than it should."  # its text repeats the body
    return Problem("invalid_json", detail)
