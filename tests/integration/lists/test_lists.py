"""Lists change events and tables in one transaction, survive races, and know past contents."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from payments.customers.models import Note
from payments.domain.cards import Brand, Card
from payments.domain.list_items import InvalidItem, Item, ListName
from payments.domain.lists import (
    EntryExists,
    EntryMissing,
    ListExists,
    ListInUse,
    ListRefused,
    TooManyLists,
    UnknownList,
    id_of,
)
from payments.domain.risk.refusals import ListsUnusable
from payments.domain.text import TextError
from payments.events.models import Event
from payments.events.seals import keys, sealing, verifying
from payments.lists import entries
from payments.lists.models import Entry, RiskList
from tests.support import lists
from tests.support.concurrency import at_once
from tests.support.examples import NOON, OPERATOR
from tests.support.lists import STOLEN, add, archive, create, policy_using, remove
from tests.support.policies import activate, propose, retire, staff
from tests.support.tampering import found

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SOON: Final = NOON + timedelta(hours=1)


def events() -> list[Event]:
    return list(Event.objects.filter(aggregate_type="list").order_by("position"))


def values(position: int | None = None) -> set[str]:
    upto = position or events()[-1].position
    return {each.key for each in entries.contents(STOLEN, as_of=upto)}


def test_each_change_is_an_event_with_the_id_of_a_note() -> None:
    create()
    add("de", expires_at=SOON)
    remove("DE")
    archive()

    created, added, removed, archived = events()
    assert {each.aggregate_id for each in events()} == {id_of(STOLEN)}
    assert created.data == {
        "at": "2026-01-05T12:00:00Z",
        "by": OPERATOR,
        "name": "stolen-cards",
        "item": "country",
        "comment": created.data["comment"],
    }
    assert (added.data["value"], added.data["expires_at"]) == ("DE", "2026-01-05T13:00:00Z")
    assert (removed.event_type, archived.event_type) == ("list.entry_removed", "list.archived")
    assert added.metadata == {"actor": OPERATOR, "command": "add_list_entries"}
    note = Note.objects.get(pk=added.data["note"]["note_id"])
    assert (note.text, note.digest) == ("Case 12", added.data["note"]["digest"])
    assert Note.objects.count() == 4


def test_tables_show_the_list_and_its_entries() -> None:
    create(item=Item.CARD)
    card = Card(fingerprint="ab" * 16, brand=Brand.VISA, last4="4242")
    payment = uuid4()
    add(card.fingerprint, card=card, payment_id=payment, expires_at=SOON)

    stored = RiskList.objects.get()
    entry = Entry.objects.get()
    assert (stored.version, stored.entries, stored.position) == (2, 1, events()[-1].position)
    assert (entry.key, entry.value) == (f"card:{card.fingerprint}", card.fingerprint)
    assert (entry.card_brand, entry.card_last4, entry.payment_id) == ("visa", "4242", payment)
    assert (entry.from_position, entry.to_position) == (stored.position, None)
    assert (entry.added_by, entry.expires_at) == (OPERATOR, SOON)


def test_expired_entry_is_removed_and_added_again_in_one_append() -> None:
    create()
    add("DE", expires_at=SOON)
    with pytest.raises(EntryExists):
        add("DE")
    add("DE", author=lists.at(SOON))

    assert [each.event_type for each in events()][-2:] == ["list.entry_removed", "list.entry_added"]
    assert "note" not in events()[-2].data
    first, second = Entry.objects.order_by("from_position")
    assert (first.to_position, first.removal_note_id) == (events()[-2].position, None)
    assert (second.to_position, second.expires_at) == (None, None)
    assert RiskList.objects.get().entries == 1


def test_contents_as_of_each_position_are_those_of_then() -> None:
    create()
    add("DE", "FR")
    remove("DE")
    add("IT")
    archive()

    seen = [values(event.position) for event in events()]

    de, fr, it = "country:DE", "country:FR", "country:IT"
    assert seen == [set(), {de}, {de, fr}, {fr}, {fr, it}, set()]


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (create, ListExists),
        (lambda: add("DE"), EntryExists),
        (lambda: remove("FR"), EntryMissing),
        (lambda: add("Germany"), InvalidItem),
        (lambda: add("DE", name=ListName("unknown")), UnknownList),
        (lambda: add("FR", author=lists.noted("4242 4242 4242 4242")), TextError),
    ],
)
def test_refused_command_changes_nothing(
    command: Callable[[], None], refusal: type[Exception]
) -> None:
    create()
    add("DE")
    before = len(events()), Entry.objects.count(), Note.objects.count()

    with pytest.raises(refusal):
        command()

    assert (len(events()), Entry.objects.count(), Note.objects.count()) == before


def test_number_of_lists_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.domain.lists.MOST_LISTS", 2)
    create()
    create(ListName("other"))
    with pytest.raises(TooManyLists):
        create(ListName("third"))

    archive()
    create(ListName("third"))


def test_concurrent_creations_of_one_name_append_one_event() -> None:
    assert sum(at_once(6, lambda _: attempted(create))) == 1
    assert len(events()) == RiskList.objects.count() == Note.objects.count() == 1


def test_concurrent_creations_do_not_exceed_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.domain.lists.MOST_LISTS", 2)

    created = at_once(6, lambda n: attempted(lambda: create(ListName(f"list-{n}"))))

    assert sum(created) == RiskList.objects.count() == 2


def test_concurrent_additions_of_one_value_append_one_event() -> None:
    create()

    assert sum(at_once(6, lambda _: attempted(lambda: add("DE")))) == 1
    assert (len(events()), Entry.objects.count()) == (2, 1)


def test_concurrent_additions_of_many_values_append_all() -> None:
    create(item=Item.REFERENCE_PREFIX)

    added = at_once(6, lambda n: attempted(lambda: add(f"ORD-{n}")))

    assert all(added)
    assert (RiskList.objects.get().entries, RiskList.objects.get().version) == (6, 7)


def test_addition_against_archiving_leaves_no_entry_on_an_archived_list() -> None:
    for number in range(10):
        name = ListName(f"list-{number}")
        create(name)

        at_once(
            2,
            lambda n, name=name: attempted(  # type: ignore[misc]
                lambda: add("DE", name=name) if n else archive(name)
            ),
        )

        stored = RiskList.objects.get(name=name)
        assert stored.archived_at is not None
        assert not Entry.objects.filter(list=stored, to_position=None).exists()


def test_list_in_use_cannot_be_archived_until_the_policy_is_withdrawn_or_replaced() -> None:
    create()
    ada, grace = staff("ada"), staff("grace")
    policy = policy_using(STOLEN)

    propose(policy, ada)
    with pytest.raises(ListInUse) as refused:
        archive()
    assert refused.value.policies == (policy.policy_id,)
    retire(policy, ada)
    activate(policy, ada, grace)
    with pytest.raises(ListInUse):
        archive()
    create(ListName("other"))
    activate(policy_using(ListName("other")), ada, grace)
    archive()

    assert RiskList.objects.get(name=STOLEN).archived_at is not None


def test_proposal_that_names_an_unknown_or_archived_list_is_refused() -> None:
    ada = staff("ada")
    create()
    archive()
    for name in (STOLEN, ListName("unknown")):
        with pytest.raises(ListsUnusable) as refused:
            propose(policy_using(name), ada)
        assert refused.value.lists == (name,)

    assert not Event.objects.filter(aggregate_type="policy").exists()


def test_archiving_against_proposing_never_archives_a_list_in_use() -> None:
    """Without the lock, neither command would see the other, so both would succeed."""
    ada = staff("ada")
    for number in range(20):
        name = ListName(f"list-{number}")
        create(name)

        archived, proposed = at_once(
            2,
            lambda n, name=name: attempted(  # type: ignore[misc]
                lambda: propose(policy_using(name), ada) if n else archive(name)
            ),
        )

        assert (archived, proposed) in {(True, False), (False, True)}
        stored = RiskList.objects.get(name=name)
        assert (stored.archived_at is not None) is archived


def attempted(command: Callable[[], object]) -> bool:
    try:
        command()
    except (ListRefused, ListsUnusable):
        return False
    return True


def test_database_refuses_a_second_current_entry() -> None:
    create()
    add("DE")
    entry = Entry.objects.get()
    entry.pk += 1

    with pytest.raises(IntegrityError, match="lists_entry_current"), transaction.atomic():
        entry.save(force_insert=True)


def test_seals_cover_lists() -> None:
    create()
    add("DE")
    list(sealing.seal_all())
    assert verifying.verify(keys.trusted()).findings.total == 0

    event = events()[-1]
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE events_event DISABLE TRIGGER events_event_append_only;"
            """UPDATE events_event SET data = jsonb_set(data, '{value}', '"FR"')"""
            f" WHERE position = {event.position};"
            "ALTER TABLE events_event ENABLE TRIGGER events_event_append_only"
        )
    assert found() == [("changed", event.position)]


def test_change_stores_nothing_if_its_event_cannot_be_appended() -> None:
    create()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse_lists() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'refused'; END $$;"
            "CREATE TRIGGER refuse_lists BEFORE INSERT ON events_event FOR EACH ROW"
            " WHEN (NEW.aggregate_type = 'list') EXECUTE FUNCTION refuse_lists()"
        )
    try:
        with pytest.raises(DatabaseError):
            add("DE")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION refuse_lists CASCADE")

    assert (Entry.objects.count(), Note.objects.count()) == (0, 1)
