"""Create and archive lists, and add and remove their entries.

Each change applies from the next payment on. Commands on one list wait for each other. The list
tables are written in the same transaction as the event.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from msgspec import Struct
from msgspec.structs import replace

from payments import permissions
from payments.aggregates import LIST_AGGREGATE
from payments.application import policies
from payments.customers import notes
from payments.customers.models import Note
from payments.domain.cards import Card
from payments.domain.list_items import Item, ListName, checked, key
from payments.domain.lists import (
    AddEntries,
    AnyListCommand,
    ArchiveList,
    CreateList,
    Entry,
    Known,
    RemoveEntry,
    UnknownList,
    decide,
    id_of,
)
from payments.domain.payment.events import NoteRef
from payments.events.metadata import Metadata
from payments.events.reading.horizon import read_stream
from payments.events.replay import execute
from payments.events.store import Reservation, reserve
from payments.lists import entries
from payments.lists.models import RiskList

LONGEST_NOTE: Final = 500

# Creations wait for each other, because each counts the lists.
_CREATION: Final = Reservation("lists", "creation")


class Author(Struct, frozen=True, kw_only=True):
    """Who changes a list, when and why. `by` is an actor id. `note` is stored where it can be erased."""

    by: str
    at: datetime
    note: str
    correlation_id: str | None = None


def create(name: ListName, item: Item, author: Author) -> None:
    """Create an empty list. The note is its comment. Raises NotPermitted, TextError, ListRefused."""
    permissions.require(author.by, permissions.MANAGE_LISTS, operators=True)
    note = _note(author)
    command = CreateList(at=author.at, by=author.by, item=item, comment=_reference(note))
    with transaction.atomic():
        reserve(_CREATION)
        known = Known(lists=RiskList.objects.filter(archived_at=None).count())
        _handle(name, command, note, author, entries.locked(id_of(name)), known)


def archive(name: ListName, author: Author) -> None:
    """Archive a list that no policy uses. Raises NotPermitted, TextError, ListRefused."""
    permissions.require(author.by, permissions.MANAGE_LISTS, operators=True)
    note = _note(author)
    command = ArchiveList(at=author.at, by=author.by, note=_reference(note))
    with transaction.atomic():
        found = entries.locked(id_of(name))
        # Read while the list is locked, because a proposal that uses the list locks it too.
        known = Known(policies=policies.using(name))
        _handle(name, command, note, author, found, known)


def add(
    name: ListName,
    values: Sequence[str],
    author: Author,
    *,
    expires_at: datetime | None = None,
    card: Card | None = None,
    payment_id: UUID | None = None,
    skip: bool = False,
) -> tuple[str, ...]:
    """Add all values or none. With `skip`, leave out values that are on the list, and return these.

    `card` and `payment_id` are stored with the entry. Raises NotPermitted, InvalidItem, TextError,
    ListRefused.
    """
    permissions.require(author.by, permissions.EDIT_LISTS, operators=True)
    note = _note(author)
    command = AddEntries(
        at=author.at,
        by=author.by,
        values=tuple(values),
        note=_reference(note),
        expires_at=expires_at,
        card=card,
        payment_id=payment_id,
    )
    with transaction.atomic():
        found = _in_use(name)
        item = Item(found.item)
        command = replace(command, values=tuple(checked(item, value) for value in values))
        listed = _listed(found, command.values)
        skipped = [each for each in listed if listed[each].counts(author.at)] if skip else []
        left = tuple(each for each in command.values if each not in skipped)
        if left:
            command = replace(command, values=left)
            _handle(name, command, note, author, found, Known(listed=listed))
        return tuple(skipped)


def remove(name: ListName, value: str, author: Author) -> None:
    """Remove an entry. Raises NotPermitted, InvalidItem, TextError, ListRefused."""
    permissions.require(author.by, permissions.EDIT_LISTS, operators=True)
    note = _note(author)
    with transaction.atomic():
        found = _in_use(name)
        value = checked(Item(found.item), value)
        command = RemoveEntry(at=author.at, by=author.by, value=value, note=_reference(note))
        _handle(name, command, note, author, found, Known(listed=_listed(found, [value])))


def _in_use(name: ListName) -> RiskList:
    """Lock and return the list. Raises UnknownList if it does not exist or is archived."""
    found = entries.locked(id_of(name))
    if found is None or found.archived_at is not None:
        raise UnknownList(list_name=name)
    return found


def _listed(found: RiskList, values: Sequence[str]) -> dict[str, Entry]:
    rows = entries.current(found.pk, [key(Item(found.item), value) for value in values])
    return {
        row.value: Entry(added_by=row.added_by, added_at=row.added_at, expires_at=row.expires_at)
        for row in rows.values()
    }


def _handle(
    name: ListName,
    command: AnyListCommand,
    note: Note,
    author: Author,
    found: RiskList | None,
    known: Known,
) -> None:
    done = execute(
        LIST_AGGREGATE,
        id_of(name),
        lambda current: decide(current, command, name, known),
        metadata=Metadata(
            actor=author.by, command=command.name, correlation_id=author.correlation_id
        ),
        reservations=(
            (Reservation(entries.NAMES, name),) if isinstance(command, CreateList) else ()
        ),
    )
    note.save()
    after = 0 if found is None else found.position
    entries.write(found, read_stream(LIST_AGGREGATE, id_of(name), after=after, upto=done.position))


def _note(author: Author) -> Note:
    return notes.write(None, author.note, author=author.by, at=author.at, longest=LONGEST_NOTE)


def _reference(note: Note) -> NoteRef:
    return NoteRef(note.pk, note.digest)
