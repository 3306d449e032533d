"""Typed text survives a refused decision, the end of the session and an outdated CSRF token."""

import html
import re
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client as Browser
from django.urls import reverse

from payments.customers.models import Customer, Note
from payments.events.models import Event
from payments.identity.models import Session
from tests.support.api import FOUR_EYES
from tests.support.backoffice import browser, text
from tests.support.forms import form_fields
from tests.support.reviewing import at, do, form, paid, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NOTE = 'Called back at 15:00.\n"All <fine>", she said: שלום.'
PASSWORD = "correct horse battery staple"


def fields(answer: Any) -> dict[str, str]:
    """Return the fields that the page's form would send."""
    page = answer.content.decode()
    found = dict(re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)"', page))
    found |= dict(
        re.findall(r'<textarea[^>]* name="([\w-]+)"[^>]*>\r?\n?(.*?)</textarea>', page, re.DOTALL)
    )
    chosen = re.findall(r'<input type="radio" name="reason" value="(\w+)"[^>]*\schecked[\s>]', page)
    found |= {"reason": chosen[0]} if chosen else {}
    return {name: html.unescape(value) for name, value in found.items()}


def test_extending_a_claim_does_not_make_the_form_stale() -> None:
    (payment,) = waiting()
    ben = browser("analyst", "ben")
    do(ben, payment, "claim")
    sent = form(ben, payment, "approve", note=NOTE)

    do(ben, payment, "claim")  # in a second tab

    assert "Approved." in text(ben.post(at(payment, "approve"), sent, follow=True))
    assert Note.objects.get().text == NOTE


@pytest.mark.parametrize("between", [("claim",), ("claim", "release"), ("claim", "claim")])
def test_claims_in_the_meantime_do_not_refuse_a_decision(between: tuple[str, ...]) -> None:
    (payment,) = waiting()
    ben = browser("analyst", "ben")
    sent = form(ben, payment, "reject", note=NOTE)
    for action in between:
        do(ben, payment, action)

    assert "Rejected." in text(ben.post(at(payment, "reject"), sent, follow=True))


def test_change_of_the_payment_makes_the_form_stale() -> None:
    (payment,) = waiting()
    hal, grace = browser(username="hal"), browser()
    sent = form(grace, payment, "approve", reason="other", note=NOTE)
    do(hal, payment, "escalate", note="Odd.")
    answer: Any = grace.post(at(payment, "approve"), sent)
    assert answer.status_code == 409
    assert "This payment changed while you had it open. Check it and decide again." in text(answer)
    assert "Escalated by hal: Beyond my authority. “Odd.”" in text(answer)
    again = fields(answer)
    assert (again["note"], again["reason"]) == (NOTE, "other")
    assert "Approved." in text(grace.post(at(payment, "approve"), again, follow=True))


def test_late_decision_is_refused_and_keeps_its_note() -> None:
    (payment,) = waiting()
    hal, grace = browser(username="hal"), browser()
    sent = form(grace, payment, "approve", note=NOTE)
    do(hal, payment, "reject")
    answer = grace.post(at(payment, "approve"), sent)
    assert answer.status_code == 409
    assert "This payment was rejected by hal" in text(answer)
    assert fields(answer)["note"] == NOTE
    shown = answer.content.decode().partition("<textarea")[2].partition("</form>")[0]
    assert 'type="submit"' not in shown
    assert (Event.objects.count(), Note.objects.count()) == (3, 0)


def test_note_is_kept_while_another_reviewer_holds_the_claim() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    sent = form(ben, payment, "approve", note=NOTE)
    do(ann, payment, "claim")
    answer = ben.post(at(payment, "approve"), sent)
    assert "ann has claimed this payment until" in text(answer)
    do(ann, payment, "release")
    assert "Approved." in text(ben.post(at(payment, "approve"), fields(answer), follow=True))
    assert Note.objects.get().text == NOTE


def test_form_sent_twice_with_different_data_is_refused() -> None:
    payment = paid()
    grace = browser()
    sent = form(grace, payment, "refund", amount="5.00")
    grace.post(at(payment, "refund"), sent)
    answer = grace.post(at(payment, "refund"), sent | {"amount": "6.00"})
    assert "You already sent this form with a different amount." in text(answer)
    shown = answer.content.decode().partition('name="amount"')[2].partition("</form>")[0]
    assert 'type="submit"' not in shown


@pytest.fixture
def grace() -> Browser:
    """Return a superuser's browser, signed in with a password and with CSRF checks."""
    get_user_model().objects.create_superuser("grace", password=PASSWORD)
    logged_in = Browser(enforce_csrf_checks=True)
    sign_in(logged_in)
    return logged_in


def token(logged_in: Browser) -> dict[str, str]:
    return {"csrfmiddlewaretoken": logged_in.cookies["csrftoken"].value}


def sign_in(logged_in: Browser, **more: str) -> Any:
    login = reverse("admin:login")
    logged_in.get(login)
    given = {"username": "grace", "password": PASSWORD, **token(logged_in), **more}
    return logged_in.post(login + "?next=/admin/", given)


def typed_forms() -> list[tuple[str, dict[str, str]]]:
    """Return the URL of each form that keeps typed text, with the text to type."""
    (payment,) = waiting(**FOUR_EYES)
    customer = Customer.objects.get().pk
    return [
        (at(payment, "approve"), {"note": NOTE, "reason": "other"}),
        (at(payment, "escalate"), {"note": NOTE, "reason": "other"}),
        (at(payment, "note"), {"note": NOTE}),
        (at(payment, "snooze"), {"note": NOTE, "wait": "other", "until": "2030-01-01T09:00"}),
        (reverse("admin:customer_rename", args=[customer]), {"name": "שלום <b>"}),
        (reverse("admin:customer_block", args=[customer]), {"note": "Because <b>", "reason": ""}),
        (reverse("policy_propose"), {"document": '{"rules":\n [1, "<b>"]}', "propose": ""}),
        (
            reverse("policy_propose"),
            {"name": "<b>", "rules-0-reason": "x", "review_over-0-amount": "ten"},
        ),
    ]


def opened(logged_in: Browser, path: str) -> Any:
    """Return the page of the form. Reveal the customer first if the form shows personal data."""
    page: Any = logged_in.get(path)
    if page.status_code == 302:
        asks = page.headers["Location"]
        purpose = {"purpose": "call_with_customer"} | token(logged_in)
        logged_in.post(asks, fields(logged_in.get(asks)) | purpose)
        page = logged_in.get(path)
    return page


def test_typed_text_survives_the_end_of_the_session(grace: Browser) -> None:
    for path, typed in typed_forms():
        page = opened(grace, path)
        before = Event.objects.count()
        Session.objects.all().delete()
        answer = grace.post(path, fields(page) | typed | token(grace))
        assert "Your session has ended. Nothing was sent." in text(answer), path
        kept = re.search(r'name="kept" value="([^"]+)"', answer.content.decode())
        assert kept
        wrong = sign_in(grace, kept=kept[1], password="wrong")
        assert kept[1] in wrong.content.decode(), "a failed sign-in keeps the text"
        restored = back(grace, sign_in(grace, kept=kept[1]))
        shown = form_fields(restored)
        for name, value in typed.items():
            assert shown.get(name, "") == value or name == "propose", (path, name)
        assert Event.objects.count() == before
        assert Note.objects.count() == 0
        assert Customer.objects.get().name == ""


def test_typed_text_survives_a_changed_csrf_token(grace: Browser) -> None:
    for path, typed in typed_forms():
        sent = fields(opened(grace, path)) | typed | token(grace)
        before = Event.objects.count()
        sign_in(grace)  # changes the CSRF token
        answer = grace.post(path, sent, headers={"Origin": "http://testserver"})
        assert answer.status_code == 403
        restored = back(grace, answer)
        shown = form_fields(restored)
        for name, value in typed.items():
            assert shown.get(name, "") == value or name == "propose", (path, name)
        assert Event.objects.count() == before


def test_restored_decision_can_be_sent(grace: Browser) -> None:
    (payment,) = waiting()
    sent = form(grace, payment, "approve", note=NOTE) | token(grace)
    Session.objects.all().delete()
    answer = grace.post(at(payment, "approve"), sent)
    kept = re.search(r'name="kept" value="([^"]+)"', answer.content.decode())
    assert kept
    restored = back(grace, sign_in(grace, kept=kept[1]))
    grace.post(at(payment, "approve"), fields(restored) | token(grace))
    assert Note.objects.get().text == NOTE
    assert Event.objects.count() == 4


def test_text_from_another_site_is_not_restored(grace: Browser) -> None:
    (payment,) = waiting()
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {}):
        answer = grace.post(at(payment, "approve"), {"note": NOTE}, headers=headers)
        assert answer.status_code == 403
        assert "Called back" not in answer.content.decode()
        assert "Nothing was sent" in text(answer)


def test_text_that_another_site_sends_to_the_sign_in_page_is_not_kept(grace: Browser) -> None:
    (payment,) = waiting()
    sent = fields(grace.get(at(payment, "approve"))) | {"note": "Approve this."}
    answer = Browser().post(at(payment, "approve"), sent)
    kept = re.search(r'name="kept" value="([^"]+)"', answer.content.decode())
    assert kept

    foreign = grace.post(
        reverse("admin:login"), {"kept": kept[1]}, headers={"Origin": "http://evil.example"}
    )

    assert foreign.status_code == 403
    assert kept[1] not in foreign.content.decode()


def test_text_is_not_shown_to_another_person_who_signs_in(grace: Browser) -> None:
    (payment,) = waiting()
    sent = fields(grace.get(at(payment, "approve"))) | {"note": NOTE} | token(grace)
    Session.objects.all().delete()
    kept = re.search(
        r'name="kept" value="([^"]+)"', grace.post(at(payment, "approve"), sent).content.decode()
    )
    assert kept
    get_user_model().objects.create_superuser("hal", password=PASSWORD)

    answer = sign_in(grace, username="hal", kept=kept[1])

    assert answer.headers["Location"] == "/admin/"
    shown = text(grace.get("/admin/"))
    assert "The text was discarded, because another person typed it." in shown


def test_open_form_is_not_restored_for_another_person_who_signed_in(grace: Browser) -> None:
    (payment,) = waiting()
    sent = fields(grace.get(at(payment, "approve"))) | {"note": NOTE} | token(grace)
    get_user_model().objects.create_superuser("hal", password=PASSWORD)
    sign_in(grace, username="hal")

    answer = grace.post(at(payment, "approve"), sent, headers={"Origin": "http://testserver"})

    assert answer.status_code == 403
    assert "Called back" not in answer.content.decode()
    assert "The text was discarded, because another person typed it." in text(answer)


@pytest.mark.parametrize("author", ["", "1", "1:forged"])
def test_text_without_its_author_is_not_kept(author: str) -> None:
    (payment,) = waiting()

    answer = Browser().post(at(payment, "approve"), {"note": NOTE, "author": author})

    assert answer.status_code == 302


def test_forms_with_fields_name_their_author() -> None:
    """Without its author, a text is lost at the end of the session."""
    found = {
        path.name
        for path in (settings.BASE_DIR / "templates/backoffice").rglob("*.html")
        if "parts/field" in (source := path.read_text())
        and "csrf_token" in source
        and "{% author %}" not in source
    }

    # These forms keep no text: sign-in, second factor, exports, backtests and staff accounts.
    assert found == {"ask.html", "set_up.html", "second_factor.html", "form.html", "person.html"}


def test_forged_text_is_not_restored(grace: Browser) -> None:
    answer = sign_in(Browser(enforce_csrf_checks=True), kept="forged")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")


def test_button_without_text_redirects_to_sign_in() -> None:
    (payment,) = waiting()
    answer = Browser().post(at(payment, "claim"), {"key": str(uuid4()), "version": "2"})
    assert answer.status_code == 302
    assert "/admin/login/" in answer.headers["Location"]


def back(logged_in: Browser, answer: Any) -> Any:
    """Press "Back to your text"."""
    assert "Back to your text" in text(answer)
    action = re.findall(r'<form method="post" action="([^"]+)"', answer.content.decode())[-1]
    return logged_in.post(action, fields(answer) | token(logged_in))
