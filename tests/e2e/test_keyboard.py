"""The menu and the account work without a mouse, without scripts, and on narrow screens."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import PASSWORD, Desk

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


def test_first_tab_offers_a_link_past_the_menu(desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    desk.open("/admin/reviews/")

    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport(ratio=1)
    page.keyboard.press("Enter")

    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_color_scheme_password_and_sign_out_are_reached_by_keyboard(desk: Desk) -> None:
    """Regression: the account menu opened only by mouse, so nobody could sign out by keyboard."""
    desk.log_in()
    page = desk.page
    desk.press_until("grace")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("System")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.reload()
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    desk.press_until("grace")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Dark")).to_be_checked()
    desk.press_until("Change password")
    desk.press_until("Sign out")

    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()


def test_menu_is_folded_by_keyboard_and_stays_folded(desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    page.set_viewport_size({"width": 1440, "height": 900})
    menu = page.get_by_role("navigation", name="Menu")
    toggle = page.get_by_role("button", name="Menu")
    expect(toggle).to_have_attribute("aria-expanded", "true")

    toggle.focus()
    page.keyboard.press("Enter")

    expect(menu).to_be_hidden()
    expect(toggle).to_have_attribute("aria-expanded", "false")
    desk.open("/admin/reviews/")
    expect(menu).to_be_hidden()
    page.get_by_role("button", name="Menu").press("Space")
    expect(menu).to_be_visible()


def test_menu_on_a_narrow_screen_takes_and_returns_the_focus(desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    page.set_viewport_size({"width": 390, "height": 800})
    toggle = page.get_by_role("button", name="Menu", exact=True)
    expect(page.get_by_role("navigation", name="Menu")).to_be_hidden()

    toggle.press("Enter")

    expect(page.get_by_role("button", name="Close the menu")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation", name="Menu")).to_be_hidden()
    expect(toggle).to_be_focused()
    toggle.press("Enter")
    page.get_by_role("link", name="Review queue").press("Enter")
    page.wait_for_url("**/admin/reviews/")
    expect(page.get_by_role("navigation", name="Menu")).to_be_hidden()


def test_queue_is_filtered_by_keyboard(desk: Desk) -> None:
    """Regression: the button that opened the filters was not in the tab order."""
    desk.log_in()
    page = desk.page
    desk.open("/admin/reviews/")
    desk.press_until("Filters")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Currency", exact=True)).to_be_visible()
    page.get_by_label("Currency", exact=True).focus()

    page.keyboard.type("jpy")
    page.keyboard.press("Enter")

    page.wait_for_url(re.compile("currency=jpy"))
    expect(page.get_by_text("Currency JPY")).to_be_visible()
    expect(page.get_by_role("heading", name="No matching payments")).to_be_visible()
    desk.press_until("Filters")
    page.keyboard.press("Enter")
    desk.press_until("Clear all filters")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="$15,000.00")).to_be_visible()


def test_invalid_filter_opens_the_form_and_describes_the_field(desk: Desk) -> None:
    desk.log_in()

    desk.open("/admin/readmodels/paymentsummary/?initiated_at_from=5/6/2026")

    field = desk.page.get_by_label("Date submitted, from (UTC)")
    expect(field).to_be_visible()
    expect(field).to_have_value("5/6/2026")
    expect(field).to_have_accessible_description(
        "“5/6/2026” is an ambiguous date. Write 2026-05-06 or 2026-06-05."
    )


@pytest.mark.parametrize("width", [390, 1440])
def test_menu_filters_and_sign_out_work_without_javascript(
    desk: Desk, chromium: Browser, live_server: LiveServer, width: int
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page: Page = context.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{live_server.url}/admin/")
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Review queue").first.click()
    page.locator("summary", has_text="Filters").click()
    page.get_by_label("Currency", exact=True).fill("USD")
    page.get_by_role("button", name="Apply filters").click()
    expect(page.get_by_text("Currency USD")).to_be_visible()
    expect(page.get_by_role("link", name="$15,000.00")).to_be_visible()
    expect(page.get_by_role("button", name="Menu", exact=True)).to_be_hidden()

    page.get_by_text("grace").click()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    context.close()
