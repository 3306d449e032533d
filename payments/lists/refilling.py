"""Compare the tables of lists with the log, and fill them from the log again.

The tables are not a projection, because they must not lag. Both functions use the same code that
writes the tables with each event.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Model
from msgspec import Struct

from payments.aggregates import LIST_AGGREGATE
from payments.database import execute
from payments.events.reading import horizon
from payments.events.store import reserved_by
from payments.lists import entries
from payments.lists.entries import NAMES, Changes, RecordedListEvent
from payments.lists.models import Entry, RiskList

_PAGE_SIZE: Final = 1_000
_PAGE: Final = """
SELECT position, aggregate_id, version, event_type, schema_version, data::text
  FROM events_event WHERE aggregate_id = %(list_id)s AND version > %(after)s
 ORDER BY version LIMIT %(limit)s
"""


class Difference(Struct, frozen=True):
    """A difference between a row and the log. `what` names the row, and the columns that differ."""

    list_name: str
    what: str


def check() -> Iterator[Difference]:
    """Yield the differences between the tables and the log, list by list.

    Memory grows with the number of entries that one list ever had. Changes to a list wait while it
    is compared. Raises UnreadableEvent.
    """
    known = reserved_by(NAMES)
    for list_id in known:
        yield from _differences(list_id)
    for stray in RiskList.objects.exclude(pk__in=known).order_by("name"):
        yield Difference(stray.name, "the log has no such list")


def refill() -> int:
    """Fill the tables again from the log, in one transaction, and return the number of lists.

    Until it ends, payments read the old rows and changes to lists wait. Raises UnreadableEvent.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE lists_risklist IN EXCLUSIVE MODE")
        cursor.execute("DELETE FROM lists_entry")
        cursor.execute("DELETE FROM lists_risklist")
        known = reserved_by(NAMES)
        for list_id in known:
            found: RiskList | None = None
            for page in _pages(list_id):
                found = entries.write(found, page)
    return len(known)


def _pages(list_id: UUID) -> Iterator[Sequence[RecordedListEvent]]:
    after = 0
    while True:
        rows = execute(_PAGE, {"list_id": list_id, "after": after, "limit": _PAGE_SIZE})
        if not rows:
            return
        page = [horizon.record(LIST_AGGREGATE, *row) for row in rows]
        yield page
        after = page[-1].version


def _differences(list_id: UUID) -> Iterator[Difference]:
    with transaction.atomic():
        stored = entries.locked(list_id)
        logged = Changes(None, {})
        for page in _pages(list_id):
            for record in page:
                logged.add(record)
        expected = logged.found
        assert expected is not None, "a list that has a name has events"  # noqa: S101
        name = expected.name
        if stored is None:
            yield Difference(name, "the list is missing")
            return
        if columns := _differing(expected, stored):
            yield Difference(name, f"the list differs in {columns}")
        rows = {entry.pk: entry for entry in logged.added}
        for entry in Entry.objects.filter(list=stored).order_by("pk").iterator():
            wanted = rows.pop(entry.pk, None)
            if wanted is None:
                yield Difference(name, f"entry {entry.pk} is not in the log")
            elif columns := _differing(wanted, entry):
                yield Difference(name, f"entry {entry.pk} differs in {columns}")
        for position in sorted(rows):
            yield Difference(name, f"entry {position} is missing")


def _differing(expected: Model, stored: Model) -> str:
    """Return the names of the columns in which the rows differ."""
    return ", ".join(
        field.attname
        for field in expected._meta.concrete_fields
        if getattr(expected, field.attname) != getattr(stored, field.attname)
    )
