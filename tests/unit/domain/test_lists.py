"""Lists: what each command does, the keys of a payment, and the stored events."""

import json
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from payments.aggregates import LIST_AGGREGATE
from payments.domain import lists
from payments.domain.cards import Brand, Card
from payments.domain.list_items import (
    LONGEST_PREFIX,
    SHORTEST_PREFIX,
    InvalidItem,
    Item,
    ListName,
    checked,
    key,
    split,
)
from payments.domain.lists import (
    LIST_EVENT_CLASSES,
    MOST_ENTRIES,
    MOST_LISTS,
    AddEntries,
    AnyListCommand,
    AnyListEvent,
    ArchiveList,
    CreateList,
    Entry,
    EntryAdded,
    EntryExists,
    EntryMissing,
    EntryRemoved,
    ExpiryPassed,
    InvalidListName,
    Known,
    ListArchived,
    ListCreated,
    ListExists,
    ListFull,
    ListInUse,
    ListRefused,
    RemoveEntry,
    RiskList,
    TooManyLists,
    UnknownList,
    decide,
    id_of,
)
from payments.domain.payment.events import NoteRef
from payments.domain.risk.conditions import listable
from payments.events import codec
from payments.events.replay import fold
from tests.support.examples import CUSTOMER, LATER, NOON

NAME: Final = ListName("stolen-cards")
LIST: Final = id_of(NAME)
ADA: Final = "staff:7"
NOTE: Final = NoteRef(UUID(int=5), "ab")
BY_ADA: Final[dict[str, Any]] = {"at": NOON, "by": ADA}
CREATED: Final = ListCreated(**BY_ADA, name=NAME, item=Item.COUNTRY, comment=NOTE)
ADDED: Final = EntryAdded(**BY_ADA, value="DE", note=NOTE)
REMOVED: Final = EntryRemoved(**BY_ADA, value="DE", note=NOTE)
ARCHIVED: Final = ListArchived(**BY_ADA, note=NOTE)
CREATE: Final = CreateList(**BY_ADA, item=Item.COUNTRY, comment=NOTE)
ADD: Final = AddEntries(**BY_ADA, values=("DE",), note=NOTE)
REMOVE: Final = RemoveEntry(**BY_ADA, value="DE", note=NOTE)
ARCHIVE: Final = ArchiveList(**BY_ADA, note=NOTE)
ON_IT: Final = Known(listed={"DE": Entry(added_by=ADA, added_at=NOON)})
EXPIRED: Final = Known(listed={"DE": Entry(added_by=ADA, added_at=NOON, expires_at=NOON)})
EMPTY: Final = (CREATED,)
FULL: Final = RiskList(list_id=LIST, version=9, name=NAME, item=Item.COUNTRY, entries=MOST_ENTRIES)


def after(*events: AnyListEvent) -> RiskList | None:
    return fold(LIST_AGGREGATE, LIST, events)


@pytest.mark.parametrize(
    ("history", "command", "known", "events"),
    [
        ((), CREATE, Known(), (CREATED,)),
        ((), CREATE, Known(lists=MOST_LISTS - 1), (CREATED,)),
        (EMPTY, ADD, Known(), (ADDED,)),
        (EMPTY, replace(ADD, values=("DE", "DE")), Known(), (ADDED,)),
        (EMPTY, replace(ADD, values=("DE", "FR")), Known(), (ADDED, replace(ADDED, value="FR"))),
        (EMPTY, replace(ADD, expires_at=LATER), Known(), (replace(ADDED, expires_at=LATER),)),
        # An expired entry is removed first, so that the log shows when each entry was in force.
        ((CREATED, ADDED), ADD, EXPIRED, (replace(REMOVED, note=None), ADDED)),
        ((CREATED, ADDED), REMOVE, ON_IT, (REMOVED,)),
        ((CREATED, ADDED), REMOVE, EXPIRED, (REMOVED,)),
        ((CREATED, ADDED), ARCHIVE, Known(), (ARCHIVED,)),
    ],
)
def test_command_appends_events(
    history: tuple[AnyListEvent, ...],
    command: AnyListCommand,
    known: Known,
    events: tuple[AnyListEvent, ...],
) -> None:
    assert decide(after(*history), command, NAME, known) == events


@pytest.mark.parametrize(
    ("history", "command", "known", "refusal"),
    [
        (EMPTY, CREATE, Known(), ListExists),
        ((CREATED, ARCHIVED), CREATE, Known(), ListExists),
        ((), CREATE, Known(lists=MOST_LISTS), TooManyLists),
        ((), ADD, Known(), UnknownList),
        ((), REMOVE, ON_IT, UnknownList),
        ((), ARCHIVE, Known(), UnknownList),
        ((CREATED, ARCHIVED), ADD, Known(), UnknownList),
        ((CREATED, ARCHIVED), REMOVE, ON_IT, UnknownList),
        ((CREATED, ARCHIVED), ARCHIVE, Known(), UnknownList),
        ((CREATED, ADDED), ADD, ON_IT, EntryExists),
        ((CREATED, ADDED), replace(ADD, values=("FR", "DE")), ON_IT, EntryExists),
        (EMPTY, replace(ADD, expires_at=NOON), Known(), ExpiryPassed),
        (EMPTY, REMOVE, Known(), EntryMissing),
        (EMPTY, ARCHIVE, Known(policies=("ab",)), ListInUse),
    ],
)
def test_command_is_refused(
    history: tuple[AnyListEvent, ...],
    command: AnyListCommand,
    known: Known,
    refusal: type[ListRefused],
) -> None:
    with pytest.raises(refusal) as refused:
        decide(after(*history), command, NAME, known)
    assert refused.value.list_name == NAME
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("name", ["", "Stolen", "9cards", "a b", "x" * 51, "a4242424242424242"])
def test_creation_refuses_names_that_are_not_slugs(name: str) -> None:
    with pytest.raises(InvalidListName):
        decide(None, CREATE, ListName(name), Known())


def test_full_list_accepts_only_values_that_replace_expired_ones() -> None:
    with pytest.raises(ListFull):
        decide(FULL, ADD, NAME, Known())
    assert len(decide(FULL, ADD, NAME, EXPIRED)) == 2


def test_entry_counts_until_its_expiry_exclusively() -> None:
    entry = Entry(added_by=ADA, added_at=NOON, expires_at=LATER)

    assert entry.counts(LATER - timedelta(microseconds=1))
    assert not entry.counts(LATER)


@given(st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.sampled_from("ABC"))))
def test_state_counts_the_entries_after_any_commands(steps: list[tuple[str, str]]) -> None:
    history: list[AnyListEvent] = [CREATED]
    on_it: dict[str, Entry] = {}
    for what, value in steps:
        command = replace(ADD, values=(value,)) if what == "add" else replace(REMOVE, value=value)
        try:
            history += decide(after(*history), command, NAME, Known(listed=on_it))
        except (EntryExists, EntryMissing):
            continue
        if what == "add":
            on_it[value] = Entry(added_by=ADA, added_at=NOON)
        else:
            del on_it[value]

    state = after(*history)

    assert state is not None
    assert (state.entries, state.version) == (len(on_it), len(history))


@pytest.mark.parametrize(
    ("item", "value", "stored"),
    [
        (Item.CARD, "ab" * 16, "ab" * 16),
        (Item.CUSTOMER, str(CUSTOMER).upper(), str(CUSTOMER)),
        (Item.COUNTRY, "de", "DE"),
        (Item.REFERENCE_PREFIX, "ORD-", "ORD-"),
    ],
)
def test_value_is_stored_in_one_spelling(item: Item, value: str, stored: str) -> None:
    assert checked(item, value) == stored
    assert split(key(item, stored)) == (item, stored)


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (Item.CARD, "4242424242424242"),
        (Item.CARD, "AB" * 16),
        (Item.CUSTOMER, "customer-123"),
        (Item.COUNTRY, "Germany"),
        (Item.COUNTRY, "ß"),
        (Item.REFERENCE_PREFIX, "AB"),
        (Item.REFERENCE_PREFIX, "x" * 21),
        (Item.REFERENCE_PREFIX, " ORD"),
        (Item.REFERENCE_PREFIX, "OR\nD"),
        (Item.REFERENCE_PREFIX, "4242424242424242"),
    ],
)
def test_value_of_another_kind_is_refused(item: Item, value: str) -> None:
    with pytest.raises(InvalidItem) as refused:
        checked(item, value)
    assert value not in str(refused.value)


def test_listable_keys_name_everything_a_list_can_hold() -> None:
    assert listable(customer_id=CUSTOMER) == [f"customer:{CUSTOMER}"]
    assert listable(
        customer_id=CUSTOMER, fingerprint="ab" * 16, country="DE", reference="ORD-7"
    ) == [
        f"customer:{CUSTOMER}",
        f"card:{'ab' * 16}",
        "country:DE",
        "reference_prefix:ORD",
        "reference_prefix:ORD-",
        "reference_prefix:ORD-7",
    ]


@given(st.text(min_size=1, max_size=80), st.integers(SHORTEST_PREFIX, LONGEST_PREFIX))
def test_every_prefix_that_a_list_accepts_is_a_key(reference: str, length: int) -> None:
    try:
        prefix = checked(Item.REFERENCE_PREFIX, reference[:length])
    except InvalidItem:
        return
    found = listable(customer_id=CUSTOMER, reference=prefix + reference[length:])

    assert key(Item.REFERENCE_PREFIX, prefix) in found


_AT: Final = '"at":"2026-01-05T12:00:00Z","by":"staff:7"'
_NOTE: Final = '{"note_id":"00000000-0000-0000-0000-000000000005","digest":"ab"}'
SAMPLES: Final[list[tuple[str, AnyListEvent]]] = [
    (
        f'{{{_AT},"name":"stolen-cards","item":"card","comment":{_NOTE}}}',
        ListCreated(at=NOON, by=ADA, name=NAME, item=Item.CARD, comment=NOTE),
    ),
    (f'{{{_AT},"value":"DE","note":{_NOTE}}}', EntryAdded(at=NOON, by=ADA, value="DE", note=NOTE)),
    (
        f'{{{_AT},"value":"ab","note":{_NOTE},"expires_at":"2026-02-05T12:00:00Z"'
        ',"card":{"fingerprint":"ab","brand":"visa","last4":"4242"}'
        ',"payment_id":"00000000-0000-0000-0000-000000000009"}',
        EntryAdded(
            at=NOON,
            by=ADA,
            value="ab",
            note=NOTE,
            expires_at=NOON + timedelta(days=31),
            card=Card(fingerprint="ab", brand=Brand.VISA, last4="4242"),
            payment_id=UUID(int=9),
        ),
    ),
    (f'{{{_AT},"value":"DE"}}', EntryRemoved(at=NOON, by=ADA, value="DE")),
    (
        f'{{{_AT},"value":"DE","note":{_NOTE}}}',
        EntryRemoved(at=NOON, by=ADA, value="DE", note=NOTE),
    ),
    (f'{{{_AT},"note":{_NOTE}}}', ListArchived(at=NOON, by=ADA, note=NOTE)),
]


@pytest.mark.parametrize(("stored", "event"), SAMPLES)
def test_stored_list_event_is_read_and_written_unchanged(stored: str, event: AnyListEvent) -> None:
    """Never change a sample: databases contain it."""
    assert LIST_AGGREGATE.decode(event.event_type, 1, stored) == event
    (row,) = json.loads(codec.encode_rows([{"data": event}]))
    assert row["data"] == json.loads(stored)


def test_every_list_event_has_sample() -> None:
    assert {type(event) for _, event in SAMPLES} == set(LIST_EVENT_CLASSES)


def test_id_of_a_list_never_changes() -> None:
    """The log contains the ids."""
    assert lists.id_of("stolen-cards") == UUID("4046224f-685e-5d8f-a26c-60980ad970cb")
