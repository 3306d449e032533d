"""A decision with the reason "Other" needs a note. Refunds and cancellations may have one."""

from typing import Any, Final

import pytest

from payments.customers.models import Note
from payments.events.models import Event
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of
from tests.support.backoffice import browser, text
from tests.support.reviewing import at, do, form, paid, payment_page, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NOTE: Final = "The shop called: it was ordered twice."


def newest(payment: str) -> Any:
    return Event.objects.filter(aggregate_id=payment).latest("version")


@pytest.mark.parametrize("action", ["approve", "reject", "cancel", "escalate", "refund", "snooze"])
def test_reason_other_requires_a_note(action: str) -> None:
    payment = paid() if action == "refund" else waiting()[0]
    grace, before = browser(), newest(payment).version
    given = {"amount": "1.00"} if action == "refund" else {}
    given |= {"wait": "other", "until": "2030-01-01T09:00"} if action == "snooze" else {}

    for note in ("", "  \n"):
        sent = form(grace, payment, action, reason="other", note=note, **given)
        answer: Any = grace.post(at(payment, action), sent)

        assert answer.status_code == 200
        assert "Describe the reason in the note, or choose another reason." in text(answer)
        assert newest(payment).version == before


@pytest.mark.parametrize(("action", "given"), [("cancel", {}), ("refund", {"amount": "5.00"})])
def test_note_of_a_correction_is_stored_outside_the_log(action: str, given: dict[str, str]) -> None:
    payment = paid() if action == "refund" else waiting()[0]
    grace = browser()

    do(grace, payment, action, reason="other", note=f" {NOTE} ", **given)

    event, note = newest(payment), Note.objects.get()
    assert (str(note.payment_id), note.text.strip()) == (payment, NOTE)
    assert event.data["note"] == {"note_id": str(note.pk), "digest": note.digest}
    assert NOTE not in str(event.data)
    assert f"“{NOTE}”" in text(grace.get(payment_page(payment)))


def test_correction_without_a_note_stores_none() -> None:
    payment = paid()

    do(browser(), payment, "refund", amount="5.00")

    assert newest(payment).event_type == "payment.refunded"
    assert "note" not in newest(payment).data
    assert not Note.objects.exists()


def test_double_click_on_a_refund_with_a_note_is_one_refund() -> None:
    payment = paid()
    grace = browser()
    sent = form(grace, payment, "refund", amount="5.00", note=NOTE)

    for _ in range(2):
        grace.post(at(payment, "refund"), sent)

    assert newest(payment).version == 3
    assert Note.objects.count() == 1


def test_api_accepts_the_reason_other_without_a_note() -> None:
    client = ApiClient()
    payment = body_of(client.submit(**RISKY))["id"]

    answer = client.post(f"{PAYMENTS}/{payment}/approve", {"reason": "other"})

    assert answer.status_code == 200


def test_clients_do_not_see_the_note_of_a_correction() -> None:
    client = ApiClient()
    payment = body_of(client.submit())["id"]

    do(browser(), payment, "refund", amount="5.00", note=NOTE)

    for path in (f"{PAYMENTS}/{payment}", f"{PAYMENTS}/{payment}/events", "/api/v1/events"):
        answer = client.get(path).content.decode()
        assert NOTE not in answer
        assert "note_id" not in answer
