"""Explain a refused body by finding every wrong field. Accepted bodies skip this search."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from enum import Enum
from itertools import islice
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Raw, UnsetType

from payments.api.bodies import Body, wrong_text
from payments.api.problems.problem import FieldError, Problem, masked_name

_MOST_SHOWN: Final = 20
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def problem(
    data: bytes, body: type[Body], error: Exception | None, repeated: str | None
) -> Problem:
    """Return the problem that names every wrong field, and the name that the body repeats.

    `error` is the first error, at which decoding stopped.
    """
    wrong = []
    try:
        wrong = list(islice(_wrong_fields(data, body), _MOST_SHOWN))
    except msgspec.ValidationError as no_object:
        return Problem("invalid_request", f"{no_object}.")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    if repeated is not None:
        wrong.append(FieldError(masked_name(repeated), "given_twice", "Give it once."))
    return Problem.of_fields(wrong) if wrong else _unreadable(data, error)


def _wrong_fields(data: bytes | Raw, body: type[Body], within: str = "") -> Iterator[FieldError]:
    sent = msgspec.json.decode(data, type=dict[str, Raw])
    types = get_type_hints(body)
    for name in sent:
        if name not in types:
            yield FieldError(masked_name(within + name), "unknown_field", "There is no such field.")
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(body):
        name = within + field.name
        value = sent.get(field.name)
        if value is None:
            if field.required:
                yield FieldError(name, "missing", "It is required.")
            continue
        kind, nullable = _kind(types[field.name])
        if bytes(value) == b"null" and nullable:
            continue
        values[field.name] = None
        if issubclass(kind, Body) and bytes(value).startswith(b"{"):
            yield from _wrong_fields(value, kind, f"{name}.")
            values[field.name] = value
            continue
        try:
            found = msgspec.json.decode(value, type=field.type)
        except msgspec.ValidationError as error:
            yield _wrong_value(name, value, kind, error)
            continue
        wrong = wrong_text(field.name, found, body.stored_text) if type(found) is str else None
        if wrong is None:
            values[field.name] = found
        else:
            yield FieldError(name, wrong.code, wrong.detail)
    yield from body.wrong_values(values)


def _kind(hint: Any) -> tuple[type, bool]:
    """Return the type of a field without its alternatives, and whether null is one of them."""
    kinds = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    (kind,) = [each for each in kinds if each not in {NoneType, UnsetType}]
    return get_origin(kind) or kind, NoneType in kinds


def _wrong_value(field: str, value: Raw, kind: type, error: Exception) -> FieldError:
    """Return the error for a value that cannot be decoded as `kind`."""
    try:
        sent = msgspec.json.decode(value)
    except msgspec.ValidationError:
        return FieldError(field, "out_of_range", f"{error}.")  # a number with too many digits
    if issubclass(kind, Enum) and isinstance(sent, str):
        # The message omits the value, which may be a card number.
        choices = ", ".join(each.value for each in kind)
        return FieldError(field, "unknown_choice", f"It must be one of {choices}.")
    # A text that has the right type violates a constraint, and only patterns are declared as
    # constraints.
    code = "wrong_format" if kind in {str, datetime} and isinstance(sent, str) else "wrong_type"
    return FieldError(field, code, f"{error}.")


def _unreadable(data: bytes, error: Exception | None) -> Problem:
    """Return the problem for a body that msgspec cannot read.

    Python's JSON decoder finds the field that has a lone surrogate.
    """
    with suppress(ValueError, RecursionError):
        read = json.loads(data)
        for name, value in read.items() if isinstance(read, dict) else ():
            if _SURROGATE.search(f"{name}{value}"):
                return Problem.of_field(
                    masked_name(name.encode(errors="replace").decode()),
                    "text_not_printable",
                    "It contains an unpaired surrogate.",
                )
    detail = f"The body cannot be read: {error}." if data.strip() else "The body is empty."
    if isinstance(error, msgspec.ValidationError):
        detail = "The body does not match the schema."  # the error's text repeats the body
    return Problem("invalid_json", detail)
