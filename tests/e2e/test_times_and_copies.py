"""Scripts add the viewer's local time and buttons that copy ids."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import PASSWORD, Desk
from tests.support.backoffice import browser
from tests.support.reviewing import do, payment_page

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


def signed_in(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_load_state()


def test_times_have_the_local_time_of_the_viewer(
    desk: Desk, chromium: Browser, live_server: LiveServer
) -> None:
    do(browser("analyst", "ben"), desk.payment, "claim")
    context = chromium.new_context(timezone_id="Asia/Kolkata")
    page = context.new_page()

    signed_in(page, live_server.url + payment_page(desk.payment))

    sentence = page.get_by_role("heading", name="Claimed by ben until").get_attribute("title") or ""
    assert re.fullmatch(r"Your time: \d\d:\d\d", sentence)
    submitted = page.locator("dd time").first
    expect(submitted).to_have_text(
        re.compile(r"^\d{4}-\d\d-\d\d [\d:]{8} UTCYour time: \d{4}-\d\d-\d\d \d\d:\d\d$")
    )
    moment, local = re.findall(r"\d\d:\d\d", submitted.inner_text())
    ahead = (int(local[:2]) - int(moment[:2])) * 60 + int(local[3:]) - int(moment[3:])
    assert ahead % (24 * 60) == 330
    page.goto(f"{live_server.url}/admin/readmodels/paymentsummary/")
    expect(page.locator("#result_list time").first).to_have_attribute(
        "title", re.compile("^Your time: ")
    )
    page.goto(f"{live_server.url}/admin/reviews/")
    expect(page.locator(".field-deadline time")).to_have_attribute(
        "title", re.compile("^by .* UTC\nYour time: ")
    )
    context.close()


def test_times_are_in_utc_only_for_viewers_in_utc(
    desk: Desk, chromium: Browser, live_server: LiveServer
) -> None:
    context = chromium.new_context(timezone_id="UTC")
    page = context.new_page()

    signed_in(page, live_server.url + payment_page(desk.payment))

    expect(page.locator("dd time").first).to_have_text(re.compile(r"UTC$"))
    context.close()


def test_payment_id_is_copied_by_keyboard_and_announced(
    desk: Desk, chromium: Browser, live_server: LiveServer
) -> None:
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    signed_in(page, live_server.url + payment_page(desk.payment))

    page.get_by_role("button", name="Copy payment id").press("Enter")

    expect(page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    assert page.evaluate("navigator.clipboard.readText()") == desk.payment
    context.close()


def test_copy_buttons_are_hidden_without_javascript(
    desk: Desk, chromium: Browser, live_server: LiveServer
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()

    signed_in(page, live_server.url + payment_page(desk.payment))

    expect(page.get_by_text(desk.payment).first).to_be_visible()
    expect(page.locator("[data-copy]:visible")).to_have_count(0)
    context.close()


def test_printed_page_has_the_content_only(desk: Desk) -> None:
    desk.log_in()
    desk.open(payment_page(desk.payment))

    desk.page.emulate_media(media="print")

    expect(desk.page.get_by_role("heading", level=1)).to_be_visible()
    expect(desk.page.get_by_text("or***").first).to_be_visible()
    expect(desk.page.get_by_role("navigation")).to_have_count(0)
    expect(desk.page.get_by_role("link", name="Approve")).to_have_count(0)
    expect(desk.page.get_by_role("button")).to_have_count(0)
