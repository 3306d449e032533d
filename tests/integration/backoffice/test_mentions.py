"""Mentions of staff in notes: who is notified, where it shows, and when it counts as read."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client as Browser

from payments import actors
from payments.customers import notes, staff_mentions
from payments.customers.models import Customer, Note, StaffMention
from payments.events.models import Event
from readmodels.admin.review import mentions
from tests.support.api import project
from tests.support.backoffice import browser, text
from tests.support.notes import add
from tests.support.reviewing import do, paid, payment_page, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

MENTIONS = "/admin/mentions/"


def badge(logged_in: Browser) -> str:
    return mentions.badge(logged_in.get(MENTIONS).wsgi_request)


def shown(logged_in: Browser) -> list[tuple[str, str, bool]]:
    page: Any = logged_in.get(MENTIONS)
    return [(each.by, each.text, each.unread) for each in page.context["mentions"]]


def open_first(logged_in: Browser) -> Any:
    page: Any = logged_in.get(MENTIONS)
    first = page.context["mentions"][0]
    return logged_in.post(f"{MENTIONS}{first.pk}/open/")


def test_mention_notifies_the_person_until_they_open_the_payment() -> None:
    payment = paid()
    ben, rita = browser("analyst", "ben"), browser("viewer", "rita")
    assert badge(rita) == ""

    add(ben, payment, "See @Rita.")

    project()
    assert (badge(rita), badge(ben)) == ("1", "")
    assert shown(rita) == [("ben", "See @Rita.", True)]
    assert "€19.99, completed" in text(rita.get(MENTIONS))
    answer = open_first(rita)
    assert answer.headers["Location"] == payment_page(payment) + "#notes"
    assert badge(rita) == ""
    assert shown(rita) == [("ben", "See @Rita.", False)]


def test_event_of_the_note_records_whom_it_notified() -> None:
    payment = paid()
    rita = browser("viewer", "rita")

    add(browser("analyst", "ben"), payment, "@rita @nobody")

    event = Event.objects.get(event_type="payment.note_added")
    assert event.data["mentions"] == [actors.staff(int(rita.session["_auth_user_id"]))]


def test_unknown_names_stay_text_with_a_hint() -> None:
    payment = paid()
    ben = browser("analyst", "ben")

    answer = add(ben, payment, "@nobody, mail ben@example.com, me: @ben")

    assert "Note added." in text(answer)
    assert "@nobody notified nobody" in text(answer)
    assert "@ben notified" not in text(answer)
    assert StaffMention.objects.count() == 0


@pytest.mark.parametrize("change", ["is_active", "is_staff", "groups"])
def test_people_who_may_not_see_the_payment_are_not_notified(change: str) -> None:
    payment = paid()
    browser("viewer", "rita")
    rita = get_user_model().objects.filter(username="rita")
    if change == "groups":
        rita.get().groups.clear()
    else:
        rita.update(**{change: False})

    answer = add(browser("analyst", "ben"), payment, "@rita")

    assert "@rita notified nobody" in text(answer)
    assert StaffMention.objects.count() == 0


def test_exact_name_precedes_a_name_in_another_case() -> None:
    payment = paid()
    small, large = browser("viewer", "rita"), browser("viewer", "Rita")
    ben = browser("analyst", "ben")

    add(ben, payment, "@Rita")
    answer = add(ben, payment, "@RITA")

    assert (badge(small), badge(large)) == ("", "1")
    assert "@RITA notified nobody" in text(answer), "it could be either"


def test_note_of_a_decision_notifies_too() -> None:
    (payment,) = waiting()
    rita = browser("senior reviewer", "rita")

    do(browser("analyst", "ben"), payment, "escalate", note="@rita please decide.")

    assert shown(rita) == [("ben", "@rita please decide.", True)]


def test_note_of_a_refund_notifies_too() -> None:
    payment = paid()
    rita = browser("viewer", "rita")

    do(browser(), payment, "refund", amount="5.00", note="@rita, as you asked.")

    assert shown(rita) == [("grace", "@rita, as you asked.", True)]


def test_note_of_a_client_notifies_nobody() -> None:
    browser("viewer", "rita")
    written = notes.write(
        uuid4(), "@rita", author=actors.client(uuid4()), at=datetime(2026, 1, 5, tzinfo=UTC)
    )

    staff_mentions.save(written)

    assert Note.objects.get() == written
    assert not StaffMention.objects.exists()


def test_all_mentions_can_be_marked_as_read_but_only_the_own_ones() -> None:
    payment = paid()
    rita, vic = browser("viewer", "rita"), browser("viewer", "vic")
    add(browser("analyst", "ben"), payment, "@rita @vic")
    first = StaffMention.objects.get(actor=actors.staff(int(rita.session["_auth_user_id"])))

    assert vic.post(f"{MENTIONS}{first.pk}/open/").status_code == 404
    vic.post(f"{MENTIONS}read/")

    assert (badge(rita), badge(vic)) == ("1", "")


def test_mentions_change_by_post_only_and_for_staff_only() -> None:
    rita = browser("viewer", "rita")

    for path in ("1/open/", "read/"):
        assert rita.get(MENTIONS + path).status_code == 405
    for path in ("", "read/"):
        assert Browser().post(MENTIONS + path).status_code == 302
    get_user_model().objects.get(username="rita").groups.clear()
    assert rita.get(MENTIONS).status_code == 403
    assert rita.post(f"{MENTIONS}read/").status_code == 403


def test_mention_is_deleted_with_its_note_also_in_sql() -> None:
    payment = paid()
    browser("viewer", "rita")
    ben = browser("analyst", "ben")
    for _ in range(2):
        add(ben, payment, "@rita")

    Note.objects.order_by("pk").first().delete()  # type: ignore[union-attr]
    assert StaffMention.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM customers_note")

    assert StaffMention.objects.count() == 0
    assert Customer.objects.count() == 1


def test_number_in_the_menu_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mentions, "_COUNTED_TO", 2)
    payment = paid()
    rita, ben = browser("viewer", "rita"), browser("analyst", "ben")
    for _ in range(3):
        add(ben, payment, "@rita")

    assert badge(rita) == "2+"
