"""What people typed about anything, of any app: each model names its columns in `free_texts`.

A text that mentions the customer goes as a whole, for what stands around a name tells as much. Of a
note the row goes: the log has the hash of its text, by which another text would pass for a forged one.
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
    """A column, and what people call the texts in it."""

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
    """The texts by key, so that no page holds a transaction open for the next one."""
    rows = place.texts().order_by("pk").values_list("pk", place.column)
    page = list(rows[:PAGE])
    while page:
        yield page
        page = list(rows.filter(pk__gt=page[-1][0])[:PAGE])
