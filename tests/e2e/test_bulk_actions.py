"""Bulk actions in a browser work without JavaScript and are accessible.

test_desk_story.py covers the keyboard.
"""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import PASSWORD, Desk, check_shown
from tests.support.api import FOUR_EYES, RISKY, project
from tests.support.bulk import events

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


def submit(desk: Desk, **changes: Any) -> None:
    desk.client.submit(**RISKY | {"customer_id": "newcomer", "reference": "order-2"} | changes)
    project()


def test_boxes_of_rows_follow_the_box_of_the_page(desk: Desk) -> None:
    submit(desk)
    submit(desk, reference="order-3")
    desk.log_in()
    desk.open("/admin/reviews/")
    rows = desk.page.get_by_role("checkbox", name=re.compile("^Select "))
    whole = desk.page.get_by_role("checkbox", name="All 3 on this page")

    whole.check()
    expect(desk.page.get_by_text("3 selected")).to_be_visible()
    rows.nth(1).uncheck()
    expect(whole).not_to_be_checked()
    whole.check()
    whole.uncheck()
    rows.first.check()
    rows.last.click(modifiers=["Shift"])

    expect(desk.page.get_by_text("3 selected")).to_be_visible()


def test_page_is_approved_without_javascript(
    desk: Desk, chromium: Browser, live_server: LiveServer
) -> None:
    submit(desk)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/admin/reviews/")
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    page.get_by_role("checkbox", name="All 2 on this page").check()
    page.get_by_role("button", name="Approve").click()
    page.get_by_label("Known customer").check()
    page.get_by_role("button", name="Approve 2 payments").click()

    expect(page.get_by_text("2 of 2 approved.")).to_be_visible()
    context.close()
    assert len(events("payment.approved")) == 2


@pytest.mark.parametrize("desk", ["light", "dark"], indirect=True)
def test_pages_of_bulk_actions_are_accessible_and_narrow(desk: Desk) -> None:
    rules = ["color-contrast"] if desk.scheme == "dark" else None
    submit(desk, customer_id="W" * 255)
    submit(desk, reference="order-3", amount=FOUR_EYES["amount"])
    desk.log_in()
    desk.open("/admin/reviews/")
    desk.page.get_by_role("checkbox", name="All 3 on this page").check()
    desk.page.mouse.move(0, 0)  # buttons under the pointer have other colors
    check_shown(desk, rules)

    desk.page.get_by_role("button", name="Approve").click()
    expect(desk.page.get_by_text("Two approvals are required.")).to_be_visible()
    check_shown(desk, rules)
    desk.page.get_by_label("Known customer").check()
    desk.page.get_by_role("button", name="Approve 2 payments").click()

    expect(desk.page.get_by_text("2 of 2 approved.")).to_be_visible()
    check_shown(desk, rules)
