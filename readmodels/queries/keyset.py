"""Keyset pagination: a page begins after a row, so each page is as fast as the first. There is no count."""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from msgspec import Struct
from msgspec.structs import replace

M = TypeVar("M", bound=Model)


class Order(Struct, frozen=True, kw_only=True):
    """An order of rows by one or two fields, which are unique together."""

    fields: tuple[str, ...]
    ascending: bool = False

    def by(self) -> list[str]:
        """Return the arguments of `order_by`."""
        return order(self.fields, ascending=self.ascending)

    def beyond(self, values: Sequence[Any]) -> Q:
        """Return the condition for rows after the one with these values of the fields."""
        return beyond(self.fields, values, ascending=self.ascending)

    def reverse(self) -> "Order":
        return replace(self, ascending=not self.ascending)


def order(fields: Sequence[str], *, ascending: bool) -> list[str]:
    return list(fields) if ascending else [f"-{field}" for field in fields]


def beyond(fields: Sequence[str], values: Sequence[Any], *, ascending: bool) -> Q:
    """Return the condition for rows after the one with these values.

    `fields` are one or two fields, which are unique together. The first condition lets an index
    scan begin at the row.
    """
    way = "gt" if ascending else "lt"
    first, *rest = fields
    after = Q(**{f"{first}__{way}": values[0]})
    if not rest:
        return after
    return Q(**{f"{first}__{way}e": values[0]}) & (after | Q(**{f"{rest[0]}__{way}": values[1]}))


def page(rows: QuerySet[M], size: int) -> tuple[list[M], bool]:
    """Return at most `size` rows, and whether there are more."""
    found = list(rows[: size + 1])
    return found[:size], len(found) > size
