"""Blocks of customers are events that are sealed, hold no personal data, and are shown to staff."""

import json
from io import StringIO
from typing import Final

import msgspec
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.urls import reverse

from payments.customers import blocking
from payments.customers.models import Blocking, Customer, Note
from payments.customers.registry import CustomerError
from payments.domain.customer import (
    CUSTOMER_EVENT_CLASSES,
    AnyCustomerEvent,
    BlockLifted,
    BlockPlaced,
    BlockReason,
    UnblockReason,
)
from payments.domain.payment.events import NoteRef
from payments.events import codec
from payments.events.models import Event
from payments.events.seals import keys, sealing, verifying
from readmodels.models import EventIndex
from tests.support.api import ApiClient, project
from tests.support.backoffice import browser, text
from tests.support.concurrency import at_once
from tests.support.examples import CLIENT, NOON, OPERATOR
from tests.support.tampering import found

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TEXT: Final = "Case 12, Ada Ng"


@pytest.fixture
def customer() -> Customer:
    ApiClient().submit()
    return Customer.objects.get()


def block(customer: Customer, note: str = TEXT) -> None:
    blocking.change(customer.pk, reason=BlockReason.CHARGEBACKS, note=note, by=OPERATOR, at=NOON)


def unblock(customer: Customer) -> None:
    blocking.change(customer.pk, reason=UnblockReason.CLEARED, note=TEXT, by=OPERATOR, at=NOON)


def events(customer: Customer) -> list[Event]:
    return list(Event.objects.filter(aggregate_id=customer.pk).order_by("version"))


def test_block_is_an_event_with_reason_and_note_id(customer: Customer) -> None:
    block(customer)

    (event,) = events(customer)
    note = Note.objects.get()
    assert (event.aggregate_type, event.event_type) == ("customer", "customer.blocked")
    assert event.data == {
        "at": "2026-01-05T12:00:00Z",
        "client_id": str(customer.client_id),
        "customer_id": str(customer.pk),
        "by": OPERATOR,
        "note": {"note_id": str(note.pk), "digest": note.digest},
        "reason": "chargebacks",
    }
    assert event.metadata == {"actor": OPERATOR, "command": "block_customer"}
    assert (note.text, note.payment_id) == (TEXT, None)


def test_each_block_and_unblock_is_one_more_version(customer: Customer) -> None:
    for change in (block, unblock, block):
        change(customer)

    types = [event.event_type for event in events(customer)]
    assert types == ["customer.blocked", "customer.unblocked", "customer.blocked"]
    customer.refresh_from_db()
    assert customer.blocked


def test_concurrent_blocks_append_one_event(customer: Customer) -> None:
    def attempt(number: int) -> bool:
        try:
            block(customer, note=f"Case {number}")
        except CustomerError:
            return False
        return True

    assert sum(at_once(8, attempt)) == 1
    assert len(events(customer)) == Blocking.objects.count() == Note.objects.count() == 1


def test_block_changes_nothing_if_its_event_cannot_be_appended(customer: Customer) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse_blocks() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'refused'; END $$;"
            "CREATE TRIGGER refuse_blocks BEFORE INSERT ON events_event FOR EACH ROW"
            " WHEN (NEW.aggregate_type = 'customer') EXECUTE FUNCTION refuse_blocks()"
        )
    try:
        with pytest.raises(DatabaseError):
            block(customer)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION refuse_blocks CASCADE")

    customer.refresh_from_db()
    assert not customer.blocked
    assert Blocking.objects.count() == Note.objects.count() == 0


def test_seals_cover_blocks(customer: Customer) -> None:
    block(customer)
    list(sealing.seal_all())
    assert verifying.verify(keys.trusted()).findings.total == 0

    (event,) = events(customer)
    change = """data = jsonb_set(data, '{reason}', '"other"')"""
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE events_event DISABLE TRIGGER events_event_append_only;"
            f"UPDATE events_event SET {change} WHERE position = {event.position};"
            "ALTER TABLE events_event ENABLE TRIGGER events_event_append_only"
        )
    assert found() == [("changed", event.position)]


def test_staff_find_blocks_in_the_event_log(customer: Customer) -> None:
    block(customer)
    project()

    assert EventIndex.objects.filter(event_type="customer.blocked").count() == 1
    page = browser().get(
        reverse("admin:readmodels_eventindex_changelist"), {"event_type": "customer.blocked"}
    )
    assert reverse("admin:customers_customer_change", args=[customer.pk]) in page.content.decode()


def test_read_models_other_than_the_event_index_ignore_blocks(customer: Customer) -> None:
    block(customer)
    project()

    out = StringIO()
    call_command("projections", "--check", stdout=out)
    call_command("rebuild_projections", stdout=out)
    assert EventIndex.objects.filter(aggregate_id=customer.pk).count() == 1


def test_erasing_the_note_of_a_block_keeps_the_decision(customer: Customer) -> None:
    block(customer)
    Note.objects.all().delete()

    page = text(browser().get(reverse("admin:customers_customer_change", args=[customer.pk])))
    assert "Blocked: chargebacks" in page
    assert "The note was erased." in page


NOTE: Final = NoteRef(note_id=CLIENT, digest="ab" * 32)
SAMPLES: Final[list[tuple[str, AnyCustomerEvent]]] = [
    (
        f'{{"at":"2026-01-05T12:00:00Z","client_id":"{CLIENT}","customer_id":"{CLIENT}","by":"staff:7"'
        f',"note":{{"note_id":"{CLIENT}","digest":"{"ab" * 32}"}},"reason":"stolen_identity"}}',
        BlockPlaced(
            at=NOON,
            client_id=CLIENT,
            customer_id=CLIENT,
            by="staff:7",
            note=NOTE,
            reason=BlockReason.STOLEN_IDENTITY,
        ),
    ),
    (
        f'{{"at":"2026-01-05T12:00:00Z","client_id":"{CLIENT}","customer_id":"{CLIENT}","by":"staff:7"'
        f',"note":{{"note_id":"{CLIENT}","digest":"{"ab" * 32}"}},"reason":"blocked_by_mistake"}}',
        BlockLifted(
            at=NOON,
            client_id=CLIENT,
            customer_id=CLIENT,
            by="staff:7",
            note=NOTE,
            reason=UnblockReason.BLOCKED_BY_MISTAKE,
        ),
    ),
]


@pytest.mark.parametrize(("stored", "event"), SAMPLES)
def test_stored_events_of_customers_keep_their_form(stored: str, event: AnyCustomerEvent) -> None:
    """Never change a sample: databases contain such events."""
    assert msgspec.json.decode(stored, type=type(event)) == event
    (row,) = json.loads(codec.encode_rows([{"data": event}]))
    assert row["data"] == json.loads(stored)


def test_every_event_of_a_customer_has_a_sample() -> None:
    assert {type(event) for _, event in SAMPLES} == set(CUSTOMER_EVENT_CLASSES)
