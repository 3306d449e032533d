"""Payments are snoozed by keyboard, and handed over without JavaScript."""

import re

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from payments.events.models import Event
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import PASSWORD, Desk
from tests.support.routing import staff

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


@pytest.mark.parametrize("desk", ["light"], indirect=True)
def test_payment_is_snoozed_and_resumed_by_keyboard(desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    desk.open(f"/admin/readmodels/paymentsummary/{desk.payment}/change/")
    page.keyboard.press("s")
    page.wait_for_url(re.compile("snooze"))
    expect(page.get_by_label("Waiting for customer")).to_be_focused()

    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")

    page.wait_for_url(re.compile("change"))
    expect(page.get_by_role("heading", name="Snoozed by you until")).to_be_visible()
    desk.press_until("End snooze")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The snooze has ended.")).to_be_visible()
    types = list(Event.objects.order_by("-position").values_list("event_type", flat=True)[:2])
    assert types == ["payment.review_resumed", "payment.review_snoozed"]


@pytest.mark.parametrize("desk", ["light"], indirect=True)
def test_payment_is_assigned_without_javascript(
    desk: Desk, chromium: Browser, live_server: LiveServer
) -> None:
    staff("ben")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    change = f"{live_server.url}/admin/readmodels/paymentsummary/{desk.payment}/change/"
    page.goto(change)
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    page.get_by_role("link", name="Assign").click()
    page.get_by_label("Assign to").select_option(label="ben")
    page.get_by_label("Note").fill("You know this customer.")
    page.get_by_role("button", name="Assign").click()

    expect(page.get_by_text("Assigned to ben.", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Unclaimed, assigned to ben")).to_be_visible()
    context.close()
