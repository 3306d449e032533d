"""A day at the review desk in a browser: two people, by keyboard only."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from playwright.sync_api import Browser, expect

from payments.events.models import Event
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import PASSWORD, Desk
from tests.support.api import RISKY, body_of, project
from tests.support.reviewing import at, payment_page

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]

NOTE: Final = "Called back. The device is that of another customer."


@pytest.fixture
def ben(desk: Desk, chromium: Browser) -> Iterator[Desk]:
    """The window of Ben, an analyst, who has signed in. The other window is Grace's."""
    user = get_user_model().objects.create_user("ben", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="analyst"))
    context = chromium.new_context()
    window = replace(desk, page=context.new_page())
    window.log_in("ben")
    yield window
    context.close()


def test_payment_is_claimed_in_a_view_snoozed_and_decided(desk: Desk, ben: Desk) -> None:
    page = ben.page
    _save_view(ben, "risk_band__exact=high", "High risk")
    page.keyboard.press("n")
    page.wait_for_url(re.compile("change"))
    expect(page.get_by_role("heading", name="Yours until")).to_be_visible()
    expect(page.get_by_role("heading", name="Payments of the customer")).to_be_visible()
    expect(page.get_by_text("The customer's first card payment").first).to_be_visible()

    ben.press("Add a note")
    ben.press_until("Note")
    page.keyboard.type("No answer, again at three.")
    ben.press("Add note")
    expect(page.get_by_text("Note added.")).to_be_visible()

    page.keyboard.press("s")
    page.wait_for_url(re.compile("snooze"))
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Snoozed by you until")).to_be_visible()
    project()
    ben.open("/admin/reviews/?risk_band__exact=high")
    expect(page.get_by_role("link", name="$15,000.00")).to_have_count(0)

    ben.open(payment_page(ben.payment))
    ben.press("End snooze")
    expect(page.get_by_text("The snooze has ended.")).to_be_visible()
    page.keyboard.press("a")
    page.wait_for_url(re.compile("approve"))
    page.keyboard.press("Space")
    ben.press("Approve")
    expect(page.get_by_text("Approved. Lists update within a few seconds.")).to_be_visible()
    assert _types(ben.payment) == [
        "payment.review_claimed",
        "payment.note_added",
        "payment.review_snoozed",
        "payment.review_resumed",
        "payment.approved",
        "payment.processed",
    ]


def test_lost_race_keeps_the_note_and_a_colleague_hands_over(desk: Desk, ben: Desk) -> None:
    other = body_of(ben.client.submit(**RISKY | {"customer_id": "second", "reference": "order-2"}))
    project()
    ben.open(at(ben.payment, "reject"))
    ben.page.keyboard.press("Space")
    ben.press_until("Note (optional)")
    ben.page.keyboard.type(NOTE)

    desk.log_in()
    desk.open(payment_page(desk.payment))
    desk.page.keyboard.press("r")
    desk.page.wait_for_url(re.compile("reject"))
    desk.page.keyboard.press("Space")
    desk.press("Reject")
    expect(desk.page.get_by_text("Rejected. Lists update")).to_be_visible()
    ben.press("Reject")
    expect(ben.page.get_by_role("alert").first).to_contain_text("grace")
    expect(ben.page.get_by_label("Note").first).to_have_value(NOTE)

    desk.open(payment_page(other["id"]))
    desk.page.keyboard.press("h")
    desk.page.wait_for_url(re.compile("assign"))
    desk.press_until("Assign to")
    desk.page.keyboard.type("ben")
    desk.press("Assign")
    expect(desk.page.get_by_text("Assigned to ben.", exact=True)).to_be_visible()
    project()
    ben.open("/admin/reviews/")
    ben.page.keyboard.press("n")
    ben.page.wait_for_url(re.compile(other["id"]))


def _save_view(desk: Desk, query: str, name: str) -> None:
    desk.open(f"/admin/reviews/?{query}")
    desk.press("Save this view")
    desk.page.wait_for_url(re.compile("save"))
    desk.press_until("Name")
    desk.page.keyboard.type(name)
    desk.press("Save")
    expect(desk.page.get_by_text(f"Saved as “{name}”.")).to_be_visible()
    expect(desk.page.get_by_role("link", name=name)).to_be_visible()


def _types(payment: str) -> list[str]:
    """Return the types of the payment's events since its submission."""
    events = Event.objects.filter(aggregate_id=payment, version__gt=2).order_by("version")
    return list(events.values_list("event_type", flat=True))
