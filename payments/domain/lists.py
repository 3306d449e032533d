"""Lists of cards, customers, countries or reference prefixes, which conditions of risk rules use.

Each list is one aggregate. Its id is derived from its name, so two lists cannot have the same name.
Nothing personal is stored: a customer and a card are keyed hashes, and comments and notes are
references.

The state counts the entries but does not hold them, because a list may have many. The caller passes the
entries that a command is about.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final, assert_never, get_args
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from payments.domain.cards import Card
from payments.domain.list_items import Item, ListName, is_list_name
from payments.domain.payment.events import NoteRef

# Bounded, because each payment records the lists that it matches, and staff pages show all lists.
MOST_LISTS: Final = 100
MOST_ENTRIES: Final = 100_000
STATE_VERSION: Final = 1

_NAMES: Final = UUID("5a2e0c7c-2b0f-4d53-9a53-7d6f0f1f64b1")


def id_of(name: str) -> UUID:
    """Return the id of the list with this name."""
    return uuid5(_NAMES, name)


class ListEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of every event of a list. `by` is an actor id."""

    event_type: ClassVar[str]
    schema_version: ClassVar[int] = 1

    at: datetime
    by: str


class ListCreated(ListEvent, frozen=True, kw_only=True):
    event_type: ClassVar[str] = "list.created"

    name: ListName
    item: Item
    comment: NoteRef


class EntryAdded(ListEvent, frozen=True, kw_only=True):
    """The value is on the list from now on, and until `expires_at` if that is given."""

    event_type: ClassVar[str] = "list.entry_added"

    value: str
    note: NoteRef
    expires_at: datetime | None = None
    card: Card | None = None  # for showing brand and digits, if the value is a card's fingerprint
    payment_id: UUID | None = None  # the payment from whose page it was added


class EntryRemoved(ListEvent, frozen=True, kw_only=True):
    """The value is no longer on the list.

    If there is no note, the entry had expired and the value is being added again.
    """

    event_type: ClassVar[str] = "list.entry_removed"

    value: str
    note: NoteRef | None = None


class ListArchived(ListEvent, frozen=True, kw_only=True):
    """The list is empty from now on and cannot be used. Its name stays taken."""

    event_type: ClassVar[str] = "list.archived"

    note: NoteRef


AnyListEvent = ListCreated | EntryAdded | EntryRemoved | ListArchived
LIST_EVENT_CLASSES: Final[tuple[type[AnyListEvent], ...]] = get_args(AnyListEvent)


class ListCommand(Struct, frozen=True, kw_only=True):
    name: ClassVar[str]

    at: datetime
    by: str


class CreateList(ListCommand, frozen=True, kw_only=True):
    name: ClassVar[str] = "create_list"

    item: Item
    comment: NoteRef


class AddEntries(ListCommand, frozen=True, kw_only=True):
    """Add checked values with a common note and expiry."""

    name: ClassVar[str] = "add_list_entries"

    values: tuple[str, ...]
    note: NoteRef
    expires_at: datetime | None = None
    card: Card | None = None
    payment_id: UUID | None = None


class RemoveEntry(ListCommand, frozen=True, kw_only=True):
    name: ClassVar[str] = "remove_list_entry"

    value: str
    note: NoteRef


class ArchiveList(ListCommand, frozen=True, kw_only=True):
    name: ClassVar[str] = "archive_list"

    note: NoteRef


AnyListCommand = CreateList | AddEntries | RemoveEntry | ArchiveList


class RiskList(Struct, frozen=True, kw_only=True):
    """A list after `version` events. Expired entries count until they are removed or added again."""

    list_id: UUID
    version: int
    name: ListName
    item: Item
    entries: int = 0
    archived: bool = False


class Entry(Struct, frozen=True, kw_only=True):
    """An entry that was not removed, perhaps expired."""

    added_by: str
    added_at: datetime
    expires_at: datetime | None = None

    def counts(self, at: datetime) -> bool:
        return self.expires_at is None or at < self.expires_at


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@dataclass(kw_only=True, eq=False)
class ListRefused(Exception):
    """A command that the list does not allow."""

    list_name: str


@dataclass(kw_only=True, eq=False)
class UnknownList(ListRefused):
    """There is no list with this name, or it is archived."""

    def __str__(self) -> str:
        # An invalid name is not repeated, because it could be a card number.
        name = f"named {self.list_name!r}" if is_list_name(self.list_name) else "with this name"
        return f"No list {name} is in use."


@dataclass(kw_only=True, eq=False)
class InvalidListName(ListRefused):
    """The name is not valid for a list."""

    def __str__(self) -> str:
        return (
            "The name must begin with a lower-case letter and have at most 50 lower-case letters,"
            " digits, - and _."
        )


@dataclass(kw_only=True, eq=False)
class ListExists(ListRefused):
    """Another list has the name, perhaps an archived one."""

    archived: bool

    def __str__(self) -> str:
        archived = " and is archived. Its name stays taken" if self.archived else ""
        return f"A list named {self.list_name!r} exists already{archived}."


@dataclass(kw_only=True, eq=False)
class TooManyLists(ListRefused):
    """The number of lists in use has reached its limit."""

    def __str__(self) -> str:
        return f"At most {MOST_LISTS} lists can be in use. Archive one first."


@dataclass(kw_only=True, eq=False)
class ListFull(ListRefused):
    """The entries would exceed their limit."""

    entries: int

    def __str__(self) -> str:
        return (
            f"List {self.list_name!r} has {self.entries:,} entries. At most {MOST_ENTRIES:,} are"
            " allowed. Remove entries first. Expired ones count until they are removed."
        )


@dataclass(kw_only=True, eq=False)
class EntryExists(ListRefused):
    """The value is on the list already."""

    value: str
    entry: Entry

    def __str__(self) -> str:
        entry = self.entry
        until = f", until {_minute(entry.expires_at)}" if entry.expires_at else ""
        return (
            f"It is on list {self.list_name!r} already: {entry.added_by} added it at"
            f" {_minute(entry.added_at)}{until}."
        )


@dataclass(kw_only=True, eq=False)
class EntryMissing(ListRefused):
    """The value is not on the list."""

    value: str

    def __str__(self) -> str:
        return f"It is not on list {self.list_name!r}."


@dataclass(kw_only=True, eq=False)
class ExpiryPassed(ListRefused):
    """The expiry of the new entry is in the past."""

    expires_at: datetime

    def __str__(self) -> str:
        return f"The expiry {_minute(self.expires_at)} has passed. Give a later time, or none."


@dataclass(kw_only=True, eq=False)
class ListInUse(ListRefused):
    """Risk policies use the list: the active one or proposals."""

    policies: tuple[str, ...]

    def __str__(self) -> str:
        ids = ", ".join(policy_id[:12] for policy_id in self.policies)
        many = len(self.policies) > 1
        return (
            f"List {self.list_name!r} cannot be archived: risk {'policies' if many else 'policy'} {ids}"
            f" {'use' if many else 'uses'} it. Replace or withdraw {'them' if many else 'it'} first."
        )


class Known(Struct, frozen=True, kw_only=True):
    """The facts that a command needs and the state of its list lacks.

    They are read while other commands on the list wait. `listed` has the current entries of the
    command's values. `policies` are the ids of the active and proposed policies that use the list.
    `lists` is the number of lists in use.
    """

    listed: Mapping[str, Entry] = {}
    policies: tuple[str, ...] = ()
    lists: int = 0


def decide(
    current: RiskList | None, command: AnyListCommand, name: ListName, known: Known
) -> tuple[AnyListEvent, ...]:
    """Return the events of `command` on the list `name`. Raises ListRefused."""
    match command:
        case CreateList():
            return (_creation(current, command, name, known),)
        case AddEntries():
            return tuple(_additions(_in_use(current, name), command, known.listed))
        case RemoveEntry(value=value):
            _in_use(current, name)
            if value not in known.listed:
                raise EntryMissing(list_name=name, value=value)
            return (EntryRemoved(at=command.at, by=command.by, value=value, note=command.note),)
        case ArchiveList():
            _in_use(current, name)
            if known.policies:
                raise ListInUse(list_name=name, policies=known.policies)
            return (ListArchived(at=command.at, by=command.by, note=command.note),)
        case _:
            assert_never(command)


def evolve(current: RiskList | None, list_id: UUID, event: AnyListEvent) -> RiskList:
    """Return the list after `event`."""
    if current is None:
        assert isinstance(event, ListCreated), "a list begins with its creation"  # noqa: S101
        return RiskList(list_id=list_id, version=1, name=event.name, item=event.item)
    version = current.version + 1
    match event:
        case ListCreated():
            return replace(current, version=version)
        case EntryAdded():
            return replace(current, version=version, entries=current.entries + 1)
        case EntryRemoved():
            return replace(current, version=version, entries=current.entries - 1)
        case ListArchived():
            return replace(current, version=version, entries=0, archived=True)
        case _:
            assert_never(event)


def _creation(
    current: RiskList | None, command: CreateList, name: ListName, known: Known
) -> ListCreated:
    if current is not None:
        raise ListExists(list_name=name, archived=current.archived)
    if not is_list_name(name):
        raise InvalidListName(list_name=name)
    if known.lists >= MOST_LISTS:
        raise TooManyLists(list_name=name)
    return ListCreated(
        at=command.at, by=command.by, name=name, item=command.item, comment=command.comment
    )


def _in_use(current: RiskList | None, name: ListName) -> RiskList:
    if current is None or current.archived:
        raise UnknownList(list_name=name)
    return current


def _additions(
    current: RiskList, command: AddEntries, listed: Mapping[str, Entry]
) -> Iterator[AnyListEvent]:
    if command.expires_at is not None and command.expires_at <= command.at:
        raise ExpiryPassed(list_name=current.name, expires_at=command.expires_at)
    for value in command.values:
        if value in listed and listed[value].counts(command.at):
            raise EntryExists(list_name=current.name, value=value, entry=listed[value])
    if current.entries + len(set(command.values) - listed.keys()) > MOST_ENTRIES:
        raise ListFull(list_name=current.name, entries=current.entries)
    for value in dict.fromkeys(command.values):
        if value in listed:
            yield EntryRemoved(at=command.at, by=command.by, value=value)
        yield EntryAdded(
            at=command.at,
            by=command.by,
            value=value,
            note=command.note,
            expires_at=command.expires_at,
            card=command.card,
            payment_id=command.payment_id,
        )
