"""The kinds of a condition's fields. They decide how the form shows, reads and writes values."""

from enum import Enum, StrEnum, auto
from typing import Any, get_args, get_origin

from msgspec import structs

from payments.domain.list_items import ListName
from payments.domain.risk.conditions import CONDITION_TYPES, Limits


class Kind(Enum):
    AMOUNTS = auto()  # an amount for each currency
    CHOICE = auto()
    CHOICES = auto()
    LIST = auto()  # the name of a list of cards, customers, countries or references
    NUMBER = auto()
    TEXT = auto()
    TEXTS = auto()  # separated by commas
    JSON = auto()  # a type that the form does not know: the page works, but a test fails


def kind_of(annotation: Any) -> Kind:
    if annotation == Limits:
        return Kind.AMOUNTS
    if annotation is ListName:
        return Kind.LIST
    if annotation is int:
        return Kind.NUMBER
    if annotation is str:
        return Kind.TEXT
    if _is_choice(annotation):
        return Kind.CHOICE
    if get_origin(annotation) is tuple:
        item = get_args(annotation)[0]
        if _is_choice(item):
            return Kind.CHOICES
        if item is str:
            return Kind.TEXTS
    return Kind.JSON


def fields_of(tag: str) -> dict[str, Any]:
    """Return the type of each field of a condition, {} for an unknown type of condition."""
    condition = CONDITION_TYPES.get(tag)
    if condition is None:
        return {}
    return {field.name: field.type for field in structs.fields(condition)}


def choices_of(annotation: Any) -> list[StrEnum]:
    """Return the values of a CHOICE, or of each of several CHOICES."""
    return list(annotation if _is_choice(annotation) else get_args(annotation)[0])


def _is_choice(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, StrEnum)
