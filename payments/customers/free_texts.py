"""Erase typed texts that mention a customer, in the columns that models list in `free_texts`.

A text is erased as a whole, because the words around a name reveal as much as the name. Notes are
deleted, because the log has a hash of their text and a changed text would look forged.
"""

from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

from django.apps import apps
from django.db.models import Model, QuerySet
from msgspec import Struct

from payments.customers.mentions import Mentions
from payments.customers.models import Note

PAGE: Final = 1_000


class Place(Struct, frozen=True):
    """A column of texts; `name` describes them to the operator."""

    model: type[Model]
    column: str
    name: str

    def texts(self) -> QuerySet[Model]:
        return QuerySet(self.model).exclude(**{self.column: ""})


def places() -> Iterator[Place]:
    for model in apps.get_models():
        for column, name in getattr(model, "free_texts", {}).items():
            yield Place(model, column, name)


def erase(
    place: Place, mentions: Mentions, *, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Erase the texts in which `mentions` finds something, page by page; return how many.

    `progress` gets the number of texts read.
    """
    read = erased = 0
    for page in _pages(place):
        found = [pk for pk, text in page if mentions(text)]
        if found:
            rows: QuerySet[Model] = QuerySet(place.model).filter(pk__in=found)
            erased += rows.delete()[0] if place.model is Note else rows.update(**{place.column: ""})
        read += len(page)
        progress(read)
    return erased


def _pages(place: Place) -> Iterator[list[tuple[int | UUID, str]]]:
    """Yield pages of (key, text), each in a separate transaction."""
    rows = place.texts().order_by("pk").values_list("pk", place.column)
    page = list(rows[:PAGE])
    while page:
        yield page
        page = list(rows.filter(pk__gt=page[-1][0])[:PAGE])
