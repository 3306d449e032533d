"""What lists hold: cards, customers, countries and prefixes of references, each as one text key.

A key names the type and the value of an item, so one lookup by equality finds the lists of a payment.
"""

import re
from enum import StrEnum
from typing import Final, NewType, assert_never
from uuid import UUID

from msgspec import Struct

from payments.domain.card_numbers import holds_card_number
from payments.domain.text import TextError, checked_identifier

# The name of a list, permanent and unique. Forms that are generated from structs offer the existing lists for
# fields of this type.
ListName = NewType("ListName", str)

_LIST_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,49}")

# A shorter prefix would match references by chance. Each payment looks up one key for each length,
# so the longest prefix bounds the lookup.
SHORTEST_PREFIX: Final = 3
LONGEST_PREFIX: Final = 20
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{32}")
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")


def is_list_name(text: str) -> bool:
    return _LIST_NAME.fullmatch(text) is not None and not holds_card_number(text)


class Item(StrEnum):
    """The type of a list's entries."""

    CARD = "card"
    CUSTOMER = "customer"
    COUNTRY = "country"
    REFERENCE_PREFIX = "reference_prefix"


class ListMatch(Struct, frozen=True, gc=False):
    """A list that an item of the payment was on.

    `version` is the number of events that the list had then. Backtests that look a payment up leave
    it 0, because no policy uses it.
    """

    list: ListName
    version: int


class InvalidItem(ValueError):
    """The value is not an item of this type. The message is for people and does not repeat the value."""


def checked(item: Item, value: str) -> str:
    """Return the value as lists store and compare it. Raises InvalidItem.

    A card is given by the fingerprint of its token, a customer by the id in events.
    """
    match item:
        case Item.CARD:
            if _FINGERPRINT.fullmatch(value):
                return value
            raise InvalidItem("A card is its fingerprint: 32 hexadecimal digits in lower case.")
        case Item.CUSTOMER:
            try:
                return str(UUID(value))
            except ValueError:
                raise InvalidItem("A customer is its id, a UUID.") from None
        case Item.COUNTRY:
            if _COUNTRY.fullmatch(value):
                return value.upper()
            raise InvalidItem("A country is its ISO 3166-1 code of two letters, such as DE.")
        case Item.REFERENCE_PREFIX:
            return _checked_prefix(value)
        case _:
            assert_never(item)


def _checked_prefix(value: str) -> str:
    try:
        prefix = checked_identifier(value, max_length=LONGEST_PREFIX)
    except TextError as error:
        raise InvalidItem(str(error)) from error
    if len(prefix) < SHORTEST_PREFIX:
        raise InvalidItem(f"A prefix has {SHORTEST_PREFIX} to {LONGEST_PREFIX} characters.")
    return prefix


def key(item: Item, value: str) -> str:
    """Return the key of a checked value."""
    return f"{item}:{value}"


def split(item_key: str) -> tuple[Item, str]:
    """Return the type and the value of a key."""
    item, _, value = item_key.partition(":")
    return Item(item), value
