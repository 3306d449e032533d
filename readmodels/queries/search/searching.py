"""Search all places of a typed text, and report which of them had rows."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from msgspec import Struct

from readmodels.queries.keyset import Order
from readmodels.queries.search.places import Place, first_keys


class Kind(Struct):
    """A reading of the typed text. All its places have the same label."""

    kind: str
    label: str
    chosen: bool  # only this one is searched
    found: bool = False
    bound: str = ""


class Search:
    """A search in several places at once. A known `kind` restricts it to one reading."""

    def __init__(self, places: Iterable[Place], *, kind: str = "") -> None:
        everywhere = list(places)
        chosen = [each for each in everywhere if each.kind == kind]
        self._places = chosen or everywhere
        self._kinds: dict[str, Kind] = {}
        for place in everywhere:
            known = Kind(
                kind=place.kind, label=place.label, chosen=bool(chosen) and place.kind == kind
            )
            found = self._kinds.setdefault(place.kind, known)
            if not chosen or place.kind == kind:
                found.bound = found.bound or place.bound

    def kinds(self) -> list[Kind]:
        return list(self._kinds.values())

    def shown(self) -> list[Kind]:
        """Return the readings that had rows, or all readings if none had."""
        kinds = self.kinds()
        return [each for each in kinds if each.found] or kinds

    @property
    def bounds(self) -> list[str]:
        """Return the sentences about matches that were left out."""
        return list(dict.fromkeys(each.bound for each in self._kinds.values() if each.bound))

    def among(self, rows: QuerySet[Any], order: Order, *, size: int) -> QuerySet[Any]:
        """Return the rows that are found, at least the first `size` of them in the order.

        Each place has a statement of its own. For one statement with OR, PostgreSQL might read the whole
        table.
        """
        keys: set[Any] = set()
        for place in self._places:
            found = first_keys(rows, place, order, size=size)
            keys.update(found)
            if found:
                self._kinds[place.kind].found = True
        return rows.filter(pk__in=keys) if keys else rows.none()
