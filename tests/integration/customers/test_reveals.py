"""Reveals of personal data are recorded in the log without the data, sealed, and listed."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from payments import actors
from payments.application import reveals
from payments.customers import changes, erasure
from payments.customers.models import Customer, Note
from payments.domain.reveal import CustomerRevealed, NothingToReveal, Purpose
from payments.domain.text import TextError
from payments.events.models import Event
from payments.events.seals import sealing
from readmodels.models import PersonalAccess
from tests.support.api import ApiClient, project, reviewer
from tests.support.examples import LATER, NOON, OPERATOR
from tests.support.tampering import found

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

KEY: Final = uuid4()
NAME: Final = "Ada Ngwenya"


@pytest.fixture
def customer() -> Customer:
    ApiClient().submit()
    customer = Customer.objects.get()
    changes.rename(customer.pk, {"name": NAME}, by=OPERATOR)
    return customer


def analyst() -> str:
    user = reviewer("grace", allowed=False)
    user.groups.add(Group.objects.get(name="analyst"))
    return actors.staff(user.pk)


def reveal(customer: Customer, *, key: UUID = KEY, **changed: Any) -> CustomerRevealed:
    given = {"purpose": Purpose.CHARGEBACK, "note": None, "by": analyst(), "at": NOON} | changed
    return reveals.reveal(customer.pk, key=key, **given)


def stored() -> list[Event]:
    return list(Event.objects.filter(event_type="customer.revealed").order_by("position"))


def test_reveal_is_a_sealed_event_without_personal_data(customer: Customer) -> None:
    reveal(customer)
    list(sealing.seal_all())

    (event,) = stored()
    assert event.data == {
        "at": "2026-01-05T12:00:00Z",
        "customer_id": str(customer.pk),
        "by": analyst(),
        "fields": ["name", "reference"],
        "purpose": "chargeback",
    }
    assert event.metadata["actor"] == analyst()
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE events_event DISABLE TRIGGER events_event_append_only;"
            'UPDATE events_event SET data = data || \'{"purpose": "legal_request"}\''
            f" WHERE position = {event.position};"
            "ALTER TABLE events_event ENABLE TRIGGER events_event_append_only"
        )
    assert found() == [("changed", event.position)]


def test_repeated_form_records_one_reveal_and_keeps_its_time(customer: Customer) -> None:
    first = reveal(customer)

    again = reveal(customer, at=LATER)

    assert again == first
    assert len(stored()) == 1


def test_key_of_another_person_or_customer_records_another_reveal(customer: Customer) -> None:
    other = reviewer("hugo", allowed=False)
    other.groups.add(Group.objects.get(name="analyst"))

    reveal(customer)
    reveal(customer, by=actors.staff(other.pk))

    assert len({event.aggregate_id for event in stored()}) == 2


def test_note_is_kept_apart_and_erased_with_the_customer(customer: Customer) -> None:
    reveal(customer, purpose=Purpose.OTHER, note="Returns a found wallet")
    (event,), note = stored(), Note.objects.get()
    assert event.data["note"] == {"note_id": str(note.pk), "digest": note.digest}

    for _ in erasure.erase(
        customer, reference=customer.reference or "", reason="Case 1", by=OPERATOR, at=LATER
    ):
        pass

    assert not Note.objects.exists()
    with pytest.raises(NothingToReveal):
        reveal(customer, key=uuid4())


def test_invalid_note_stores_nothing(customer: Customer) -> None:
    with pytest.raises(TextError):
        reveal(customer, purpose=Purpose.OTHER, note="Card 4242424242424242")

    assert not stored()
    assert not Note.objects.exists()


def test_projection_lists_each_reveal_once(customer: Customer) -> None:
    reveal(customer)
    reveal(customer, key=uuid4(), at=NOON + timedelta(minutes=1), purpose=Purpose.LEGAL_REQUEST)

    project()

    rows = PersonalAccess.objects.order_by("at")
    assert [(row.by, row.customer_id, row.fields, row.purpose, row.note_id) for row in rows] == [
        (analyst(), customer.pk, ["name", "reference"], purpose, None)
        for purpose in ("chargeback", "legal_request")
    ]
