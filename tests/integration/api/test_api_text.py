"""The API accepts natural text and stores equal spellings as one value."""

from typing import Any, Final
from urllib.parse import quote

import pytest

from payments.customers.models import Customer, Note
from payments.events.models import Event
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, project

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NFC: Final = "R\u00e9f-1"
NFD: Final = "Re\u0301f-1"
CARD: Final = {"token": "tok_1", "brand": "visa", "last4": "4242"}
SPELLINGS: Final = {"customer_id": NFD, "reference": NFD}


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient()


def errors(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 400, answer.content
    return [(error["field"], error["code"]) for error in body_of(answer)["errors"]]


@pytest.mark.parametrize(
    ("note", "stored"),
    [
        ("Motif\u00a0: 1\u202f500\u00a0€", "Motif : 1 500 €"),
        ("می\u200cخواهد", "می\u200cخواهد"),
        ("👨\u200d👩\u200d👧 🏳️\u200d🌈", "👨\u200d👩\u200d👧 🏳️\u200d🌈"),
        ("山田\u3000太郎", "山田 太郎"),
        ("שלום\u200f!", "שלום\u200f!"),
        ("Silben\u00adtrennung\r\n\u200bTeams ", "Silbentrennung\nTeams"),
        ("Called back +49 151 21547280, confirmed.", "Called back +49 151 21547280, confirmed."),
        ("Refund to DE16 6860 3942 2040 9536 37", "Refund to DE16 6860 3942 2040 9536 37"),
    ],
)
def test_notes_accept_natural_text(acme: ApiClient, note: str, stored: str) -> None:
    payment = body_of(acme.submit(**RISKY))["id"]

    answer = acme.post(f"{PAYMENTS}/{payment}/escalate", {"reason": "other", "note": note})

    assert answer.status_code == 200, answer.content
    assert Note.objects.get().text == stored


def test_note_in_other_code_points_repeats_the_same_command(acme: ApiClient) -> None:
    path = f"{PAYMENTS}/{body_of(acme.submit(**RISKY))['id']}/escalate"
    acme.post(path, {"reason": "other", "note": "Chère,\nMotif : x"}, key="key-1")
    events = Event.objects.count()

    note = "Che\u0300re,\r\nMotif\u00a0: x"
    answer = acme.post(path, {"reason": "other", "note": note}, key="key-1")

    assert answer.status_code == 200, answer.content
    assert answer["Idempotency-Replayed"] == "true"
    assert (Event.objects.count(), Note.objects.count()) == (events, 1)


def test_payment_in_other_code_points_repeats_the_same_payment(acme: ApiClient) -> None:
    first = acme.submit("key-1", customer_id=NFC, reference=NFC)

    again = acme.submit("key-1", **SPELLINGS)

    assert again["Idempotency-Replayed"] == "true"
    assert body_of(again) == body_of(first)
    assert body_of(again)["customer_id"] == body_of(again)["reference"] == NFC


def test_two_spellings_of_a_reference_are_equal(acme: ApiClient) -> None:
    acme.submit(customer_id=NFD, reference=NFD)
    assert Customer.objects.get().reference == NFC

    taken = acme.submit(customer_id=NFC, reference=NFC)

    assert body_of(taken)["code"] == "reference_taken"
    acme.submit(customer_id=f"{NFC}\u200b", reference="other")
    assert Customer.objects.count() == 1


@pytest.mark.parametrize("spelling", [NFC, NFD, f"{NFC}\ufeff"])
def test_reads_find_stored_values_in_any_spelling(acme: ApiClient, spelling: str) -> None:
    payment = body_of(acme.submit(**SPELLINGS))["id"]
    project()

    for address in (
        f"{PAYMENTS}?reference={quote(spelling)}",
        f"{PAYMENTS}?customer_id={quote(spelling)}",
        f"/api/v1/customers/{quote(spelling)}/payments",
    ):
        found = body_of(acme.get(address))["payments"]
        assert [each["id"] for each in found] == [payment], address


@pytest.mark.parametrize("text", ["ord-1 ", " ord-1", "ord-1\u00a0", "\u3000ord-1", "ord-1 \u200b"])
def test_identifiers_with_outer_blanks_are_refused_by_field(acme: ApiClient, text: str) -> None:
    code = "text_has_outer_blanks"
    answer = acme.submit(customer_id=text, reference=text, card=CARD | {"token": text})

    assert errors(answer) == [("customer_id", code), ("reference", code), ("card.token", code)]
    assert errors(acme.get(f"{PAYMENTS}?reference={quote(text)}")) == [("reference", code)]
    assert errors(acme.get(f"/api/v1/customers/{quote(text)}/payments")) == [("customer_id", code)]
    assert not Customer.objects.exists()


def test_refused_character_is_named_with_its_position(acme: ApiClient) -> None:
    answer = acme.submit(customer_id="Motif\u202e :")
    assert errors(answer) == [("customer_id", "text_not_printable")]
    assert "U+202E RIGHT-TO-LEFT OVERRIDE at position 6" in body_of(answer)["errors"][0]["detail"]


@pytest.mark.parametrize(
    "identifier",
    [
        "6546395345958",
        "4503604527004",
        "1866213418742784004",
        "order4111111111111111",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ],
)
def test_ids_of_shops_are_accepted(acme: ApiClient, identifier: str) -> None:
    answer = acme.submit(identifier, customer_id=identifier, reference=identifier)
    assert answer.status_code == 201, answer.content
    traced = acme.post(PAYMENTS, RISKY, **{"X-Request-ID": identifier})
    assert traced["X-Request-ID"] == identifier


def test_id_that_is_a_card_number_is_refused_by_field(acme: ApiClient) -> None:
    for card in (
        "4111111111111111",
        "card-4111111111111111",
        "4111-1111-1111-1111",
        "٤١١١١١١١١١١١١١١١",
    ):
        answer = acme.submit(customer_id=card, reference=card)
        refused = "card_number_refused"
        assert errors(answer) == [("customer_id", refused), ("reference", refused)]
