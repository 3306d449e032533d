"""Notes without a decision: who writes them, and where they are shown. They change nothing else."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client as Browser

from payments.customers.models import Note
from payments.events.models import Event
from tests.support.api import PAYMENTS, ApiClient, body_of, project
from tests.support.backoffice import browser, text
from tests.support.forms import form_fields
from tests.support.notes import add
from tests.support.reviewing import at, do, form, paid, payment_page, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CALLED = "Called, no answer.\nAgain at 15:00. <b>שלום</b>"


def notes_on(logged_in: Browser, address: str) -> list[str]:
    """Return the texts of the notes on the page, in its order."""
    page: Any = logged_in.get(address)
    return [each.text or each.remark for each in page.context["notes"]]


def test_note_is_shown_with_author_and_time_to_all_staff() -> None:
    payment = paid()

    answer = add(browser("analyst", "ben"), payment, CALLED)

    assert "Note added." in text(answer)
    page = browser("viewer", "vic").get(payment_page(payment)).content.decode()
    assert "Again at 15:00. &lt;b&gt;שלום&lt;/b&gt;" in page
    assert at(payment, "note") not in page, "a viewer writes none"
    (note,) = Note.objects.all()
    event = Event.objects.get(event_type="payment.note_added")
    assert event.data["note"] == {"note_id": str(note.pk), "digest": note.digest}
    assert event.data["author"] == note.author == event.metadata["actor"]
    assert "Called" not in json.dumps([event.data, event.metadata])


def test_notes_are_shown_newest_first_also_to_the_next_reviewer() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    for author, note in ((ann, "One"), (ben, "Two"), (ann, "Three")):
        add(author, payment, note)

    assert notes_on(ben, payment_page(payment)) == ["Three", "Two", "One"]
    assert notes_on(ben, at(payment, "approve")) == ["Three", "Two", "One"]
    assert notes_on(ben, at(payment, "note")) == ["Three", "Two", "One"]
    assert notes_on(ben, payment_page(payment) + "?version=4") == ["Two", "One"]


@pytest.mark.parametrize("state", ["rejected", "claimed by another", "escalated"])
def test_note_is_added_in_any_state_and_leaves_it_unchanged(state: str) -> None:
    (payment,) = waiting()
    hal, ben = browser(username="hal"), browser("analyst", "ben")
    action = {"rejected": "reject", "claimed by another": "claim", "escalated": "escalate"}[state]
    do(hal, payment, action, note="Odd.")
    before = ben.get(payment_page(payment)).context["desk"].headline

    add(ben, payment, CALLED)

    assert notes_on(hal, payment_page(payment)) == [CALLED]
    assert ben.get(payment_page(payment)).context["desk"].headline == before


def test_note_of_another_does_not_make_a_decision_stale_but_is_named_after_it() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    sent = form(ben, payment, "approve")
    add(ann, payment, "She did not order it!")

    answer = text(ben.post(at(payment, "approve"), sent, follow=True))

    assert "Approved." in answer
    assert "ann added a note in the meantime: see Notes." in answer


def test_own_note_does_not_make_a_decision_stale_and_is_not_named() -> None:
    (payment,) = waiting()
    ben = browser("analyst", "ben")
    sent = form(ben, payment, "reject")
    add(ben, payment, CALLED)

    answer = text(ben.post(at(payment, "reject"), sent, follow=True))

    assert "Rejected." in answer
    assert "in the meantime" not in answer


def test_double_click_adds_one_note() -> None:
    payment = paid()
    ben = browser("analyst", "ben")
    key = str(uuid4())

    for _ in range(2):
        add(ben, payment, CALLED, key=key)

    assert notes_on(ben, payment_page(payment)) == [CALLED]
    assert Note.objects.count() == 1


def test_other_note_of_the_same_form_is_kept_and_can_be_sent() -> None:
    """The browser's Back button shows the form with its old idempotency key."""
    payment = paid()
    ben = browser("analyst", "ben")
    key = str(uuid4())
    add(ben, payment, "One", key=key)

    answer = add(ben, payment, "Two", key=key)

    assert answer.status_code == 409
    assert "You already sent another note with this form." in text(answer)
    again = form_fields(answer)
    assert again["note"].strip() == "Two"
    ben.post(at(payment, "note"), again)
    assert notes_on(ben, payment_page(payment)) == ["Two", "One"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("", "Write a note."),
        (" \n ", "Write a note."),
        ("card 4111 1111 1111 1111", "seems to contain a card number"),
        ("a\u202eb", "U+202E"),
        ("x" * 2_001, "at most 2000 characters"),
    ],
    ids=["empty", "blank", "card", "bidi", "long"],
)
def test_refused_note_stays_in_the_form(wrong: str, error: str) -> None:
    payment = paid()
    ben = browser("analyst", "ben")

    answer = add(ben, payment, wrong)

    assert error in text(answer)
    assert form_fields(answer)["note"].strip() == wrong.strip()
    assert Note.objects.count() == 0


def test_incomplete_form_keeps_the_note() -> None:
    payment = paid()
    ben = browser("analyst", "ben")

    answer = ben.post(at(payment, "note"), {"note": CALLED, "key": "x"})

    assert form_fields(answer)["note"].strip() == CALLED
    assert Note.objects.count() == 0


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_others_than_reviewers_write_no_notes(role: str) -> None:
    payment = paid()
    other = browser(role, "vic")

    assert other.get(at(payment, "note")).status_code == 403
    assert add(other, payment, CALLED).status_code == 403
    assert Note.objects.count() == 0


def test_note_on_an_unknown_payment_is_not_found() -> None:
    ben = browser("analyst", "ben")

    assert add(ben, str(uuid4()), CALLED).status_code == 404
    assert Note.objects.count() == 0


def test_erased_and_changed_notes_are_shown_as_such() -> None:
    payment = paid()
    ben = browser("analyst", "ben")
    add(ben, payment, "One")
    add(ben, payment, "Two")
    Note.objects.filter(text="One").delete()
    Note.objects.filter(text="Two").update(text="Three")

    page = text(ben.get(payment_page(payment)))

    assert notes_on(ben, payment_page(payment)) == ["Three", "This note was erased."]
    assert "its hash differs" in page


def test_merchants_see_no_notes(acme: ApiClient) -> None:
    path = acme.submit()["Location"]
    add(browser("analyst", "ben"), path.rpartition("/")[2], CALLED)
    project()

    event = Event.objects.get(event_type="payment.note_added")
    assert event.aggregate_id == UUID(path.rpartition("/")[2])
    for address in (path, f"{path}/events", f"{path}/state?version=3", PAYMENTS, "/api/v1/events"):
        answer = acme.get(address)
        assert answer.status_code == 200, address
        for secret in ("note", "Called", "staff:", "author"):
            assert secret not in answer.content.decode(), address
    versions = [each["version"] for each in body_of(acme.get(f"{path}/events"))["events"]]
    assert versions == [1, 2]
