"""Pages that begin after a row instead of at a number: as fast at any depth, and never a count."""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

M = TypeVar("M", bound=Model)


def order(fields: Sequence[str], *, ascending: bool) -> list[str]:
    return list(fields) if ascending else [f"-{field}" for field in fields]


def beyond(fields: Sequence[str], values: Sequence[Any], *, ascending: bool) -> Q:
    """Rows after the one with these values in that order of one or two fields, together unique.

    The first condition is where an index can begin.
    """
    way = "gt" if ascending else "lt"
    first, *rest = fields
    after = Q(**{f"{first}__{way}": values[0]})
    if not rest:
        return after
    return Q(**{f"{first}__{way}e": values[0]}) & (after | Q(**{f"{rest[0]}__{way}": values[1]}))


def page(rows: QuerySet[M], size: int) -> tuple[list[M], bool]:
    """At most `size` rows, and whether there are more."""
    found = list(rows[: size + 1])
    return found[:size], len(found) > size
