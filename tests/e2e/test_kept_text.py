"""A note typed in a browser survives every refusal of its form."""

from collections.abc import Iterator
from typing import Final

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from payments.customers.models import Note
from payments.identity.models import Session
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.support.backoffice import browser
from tests.support.reviewing import at, do, payment_page, waiting

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]

PASSWORD: Final = "correct horse battery staple"
NOTE: Final = "Called back.\n“All fine”, she said: שלום."


@pytest.fixture
def page(chromium: Browser, live_server: LiveServer) -> Iterator[Page]:
    """Return the window of Ben, an analyst, who has signed in with a password."""
    ben = get_user_model().objects.create_user("ben", password=PASSWORD, is_staff=True)
    ben.groups.add(Group.objects.get(name="analyst"))
    context = chromium.new_context(base_url=live_server.url)
    opened = context.new_page()
    opened.goto("/admin/login/")
    sign_in(opened)
    yield opened
    context.close()


def sign_in(page: Page) -> None:
    page.get_by_label("Username").fill("ben")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")


def type_decision(page: Page, payment: str) -> None:
    page.goto(at(payment, "approve"))
    page.get_by_label("Other").check()
    page.get_by_label("Note").fill(NOTE)


def type_note(page: Page, payment: str) -> None:
    page.goto(payment_page(payment))
    page.get_by_text("Add a note").click()
    page.get_by_label("Note", exact=True).fill(NOTE)


def send(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def expect_typed(page: Page) -> None:
    expect(page.get_by_label("Note").first).to_have_value(NOTE)


@pytest.mark.parametrize("button", ["Approve", "Add note"])
def test_note_survives_the_end_of_the_session(page: Page, button: str) -> None:
    (payment,) = waiting()
    (type_decision if button == "Approve" else type_note)(page, payment)
    Session.objects.all().delete()

    send(page, button)

    expect(page.get_by_text("Your session has ended. Nothing was sent.")).to_be_visible()
    sign_in(page)
    send(page, "Back to your text")
    expect_typed(page)
    send(page, button)
    expect(page.get_by_text("Approved." if button == "Approve" else "Note added.")).to_be_visible()
    assert Note.objects.get().text == NOTE


@pytest.mark.parametrize("button", ["Approve", "Add note"])
def test_note_survives_another_sign_in_in_a_second_tab(page: Page, button: str) -> None:
    """A sign-in changes the CSRF token of all open forms."""
    (payment,) = waiting()
    (type_decision if button == "Approve" else type_note)(page, payment)
    Session.objects.all().delete()
    second = page.context.new_page()
    second.goto("/admin/login/")
    sign_in(second)

    send(page, button)

    expect(page.get_by_text("This page was out of date")).to_be_visible()
    send(page, "Back to your text")
    expect_typed(page)
    send(page, button)
    expect(page.get_by_text("Approved." if button == "Approve" else "Note added.")).to_be_visible()


@pytest.mark.parametrize("other", ["reject", "claim", "escalate"])
def test_note_survives_a_lost_race(page: Page, other: str) -> None:
    (payment,) = waiting()
    type_decision(page, payment)
    do(browser(username="hal"), payment, other, note="Odd.")

    send(page, "Approve")

    expect(page.get_by_role("alert").first).to_be_visible()
    expect_typed(page)
    assert not Note.objects.filter(text=NOTE).exists()
