"""Write the tables of lists from events, and read them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from django.db.models import Q
from msgspec import Struct

from payments.database import cursor, execute, require_transaction
from payments.domain import list_items
from payments.domain.list_items import Item, ListName
from payments.domain.lists import (
    AnyListEvent,
    EntryAdded,
    EntryRemoved,
    ListArchived,
    ListCreated,
    id_of,
)
from payments.events.reading.records import RecordedEvent
from payments.lists.models import Entry, RiskList

RecordedListEvent = RecordedEvent[AnyListEvent]

# The log reserves the name of each list, so that all lists can be found in it.
NAMES: Final = "list.name"

_CLOSED: Final = ("to_position", "removed_by", "removed_at", "removal_note_id")
_USABLE: Final = """
SELECT name FROM lists_risklist
 WHERE name = ANY(%(names)s) AND archived_at IS NULL ORDER BY name FOR SHARE
"""
_TYPES: Final = """
SELECT list.name, list.item
  FROM lists_risklist AS list
  JOIN events_event AS created ON created.aggregate_id = list.id AND created.version = 1
 WHERE list.name = ANY(%(names)s) AND created.position <= %(as_of)s
"""
# OFFSET forces a lookup in two indexes for each key. Without it, the planner may read the whole
# table for a join.
_CONTAINING: Final = """
SELECT DISTINCT payment.position, entry.list_id
  FROM unnest(%(positions)s::int8[], %(times)s::timestamptz[], %(keys)s::text[])
         AS payment (position, at, keys)
 CROSS JOIN LATERAL unnest(string_to_array(payment.keys, E'\\n')) AS item (key)
 CROSS JOIN LATERAL (
    SELECT list_id, expires_at FROM lists_entry
     WHERE key = item.key AND to_position IS NULL AND from_position < payment.position
     UNION ALL
    SELECT list_id, expires_at FROM lists_entry
     WHERE key = item.key AND to_position > payment.position AND from_position < payment.position
    OFFSET 0
  ) AS entry
 WHERE entry.list_id = ANY(%(lists)s::uuid[])
   AND (entry.expires_at IS NULL OR entry.expires_at > payment.at)
"""


class Contained(Struct, frozen=True):
    """An entry of a list at a position of the log. It is valid until `expires_at`."""

    key: str
    expires_at: datetime | None


class Listable(Struct, frozen=True):
    """The list keys of a payment. `at` and `position` are those of its first event."""

    position: int
    at: datetime
    keys: Sequence[str]


def contents(name: ListName, *, as_of: int) -> Iterator[Contained]:
    """Yield the list's entries as of log position `as_of`, including expired ones, oldest first."""
    then = Q(to_position=None) | Q(to_position__gt=as_of)
    found = Entry.objects.filter(then, list=id_of(name), from_position__lte=as_of)
    ordered = found.order_by("from_position")
    for key, expires_at in ordered.values_list("key", "expires_at").iterator():
        yield Contained(key, expires_at)


def types(names: Collection[ListName], *, as_of: int) -> Mapping[ListName, Item]:
    """Return the types of the lists that exist at log position `as_of`, even if archived."""
    found = execute(_TYPES, {"names": list(names), "as_of": as_of}) if names else []
    return {ListName(name): Item(item) for name, item in found}


def containing(
    payments: Collection[Listable], names: Collection[ListName]
) -> Mapping[int, tuple[ListName, ...]]:
    """Return the lists that each payment was on when it began, by the payment's position.

    An entry counts if it was in the list at the payment's position, and had not expired at its
    time. A payment that was on none of the lists is omitted.
    """
    lists = {id_of(name): name for name in names}
    parameters = {
        "positions": [each.position for each in payments],
        "times": [each.at for each in payments],
        # One text per payment, because adapting an array takes longer. No key contains a line break.
        "keys": ["\n".join(each.keys) for each in payments],
        "lists": list(lists),
    }
    found: defaultdict[int, tuple[ListName, ...]] = defaultdict(tuple)
    with cursor() as cur:
        # Plan for the current size of the table.
        for position, list_id in cur.execute(_CONTAINING, parameters, prepare=False):
            found[position] += (lists[list_id],)
    return found


def locked(list_id: UUID) -> RiskList | None:
    """Lock and return the list.

    Other commands on the list, and proposals that use it, wait for the end of the transaction.
    """
    require_transaction()
    return RiskList.objects.select_for_update(no_key=True).filter(pk=list_id).first()


def unusable(names: Iterable[ListName]) -> tuple[ListName, ...]:
    """Return the names that do not belong to a list in use.

    The lists in use cannot be archived before the transaction ends.
    """
    require_transaction()
    wanted = sorted(set(names))
    usable = {name for (name,) in execute(_USABLE, {"names": wanted})} if wanted else set()
    return tuple(name for name in wanted if name not in usable)


def current(list_id: UUID, keys: Iterable[str]) -> dict[str, Entry]:
    """Return the entries with these keys that were not removed, by key. Some may have expired."""
    found = Entry.objects.filter(list=list_id, key__in=list(keys), to_position=None)
    return {entry.key: entry for entry in found}


def write(found: RiskList | None, records: Sequence[RecordedListEvent]) -> RiskList:
    """Apply consecutive events of a list to the tables, and return the list's new row."""
    require_transaction()
    opened: dict[str, Entry] = {}
    if found is not None:
        removed = (each.event for each in records if isinstance(each.event, EntryRemoved))
        opened = current(found.pk, [_key(found, event.value) for event in removed])
    changes = Changes(found, opened)
    for record in records:
        changes.add(record)
    after = changes.save()
    if changes.added:
        execute("SELECT lists_entry_analyze_small()")
    return after


@dataclass
class Changes:
    """The rows of one list that its events change. `opened` has the current entries to remove."""

    found: RiskList | None
    opened: dict[str, Entry]
    closed: list[Entry] = field(default_factory=list)
    added: list[Entry] = field(default_factory=list)

    def add(self, record: RecordedListEvent) -> None:
        event = record.event
        if isinstance(event, ListCreated):
            self.found = _created(record.aggregate_id, event)
        found = self.found
        assert found is not None, "a list begins with its creation"  # noqa: S101
        found.version, found.position = record.version, record.position
        match event:
            case ListCreated():
                pass
            case EntryAdded():
                entry = _added(found, record.position, event)
                self.opened[entry.key] = entry
                self.added.append(entry)
                found.entries += 1
            case EntryRemoved():
                entry = self.opened.pop(_key(found, event.value))
                _close(entry, record.position, event.by, event.at)
                entry.removal_note_id = event.note.note_id if event.note else None
                self.closed.append(entry)
                found.entries -= 1
            case ListArchived():
                found.archived_by, found.archived_at, found.entries = event.by, event.at, 0
                for entry in self.opened.values():
                    _close(entry, record.position, event.by, event.at)
            case _:
                assert_never(event)

    def save(self) -> RiskList:
        found = self.found
        assert found is not None, "a list has events"  # noqa: S101
        found.save()
        new = {entry.pk for entry in self.added}
        stored = [entry for entry in self.closed if entry.pk not in new]
        Entry.objects.bulk_update(stored, _CLOSED)
        Entry.objects.bulk_create(self.added)
        if found.archived_at is not None:
            Entry.objects.filter(list=found, to_position=None).update(
                to_position=found.position,
                removed_by=found.archived_by,
                removed_at=found.archived_at,
            )
        return found


def _close(entry: Entry, position: int, by: str, at: datetime) -> None:
    entry.to_position, entry.removed_by, entry.removed_at = position, by, at


def _key(found: RiskList, value: str) -> str:
    return list_items.key(Item(found.item), value)


def _created(list_id: UUID, event: ListCreated) -> RiskList:
    return RiskList(
        id=list_id,
        name=event.name,
        item=event.item,
        comment_id=event.comment.note_id,
        created_by=event.by,
        created_at=event.at,
    )


def _added(found: RiskList, position: int, event: EntryAdded) -> Entry:
    return Entry(
        from_position=position,
        list=found,
        key=_key(found, event.value),
        expires_at=event.expires_at,
        added_by=event.by,
        added_at=event.at,
        note_id=event.note.note_id,
        card_brand=event.card.brand if event.card else "",
        card_last4=event.card.last4 if event.card else "",
        payment_id=event.payment_id,
    )
