"""The warning before a claim ends, in a browser whose clock the tests set."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.support.backoffice import browser
from tests.support.reviewing import at, do, payment_page, waiting

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


def signed_in(chromium: Browser, url: str, logged_in: Any, **options: Any) -> Page:
    context = chromium.new_context(**options)
    session = logged_in.cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
    return context.new_page()


def test_page_warns_before_the_claim_ends_and_the_button_keeps_the_text(
    chromium: Browser, live_server: LiveServer
) -> None:
    (payment,) = waiting()
    ben = browser("analyst", "ben")
    do(ben, payment, "claim")
    page = signed_in(chromium, live_server.url, ben)
    page.clock.install()
    page.goto(live_server.url + at(payment, "approve"))
    alert = page.locator("[data-claim-warning]")
    expect(alert).to_be_hidden()
    page.get_by_label("Note").fill("Called back.")

    page.clock.run_for("12:00")
    expect(page.get_by_text("(3 min left)")).to_be_visible()
    expect(alert).to_be_hidden()
    page.clock.run_for("01:30")
    expect(alert).to_contain_text("Your claim ends in 2 minutes. Extend it")
    assert page.title().startswith("Claim ends soon: ")
    page.get_by_role("button", name="Extend claim").click()

    expect(page.get_by_text("Yours until")).to_be_visible()
    expect(alert).to_be_hidden()
    expect(page.get_by_label("Note")).to_have_value("Called back.")
    page.clock.run_for("16:00")
    expect(alert).to_contain_text("Your claim has ended.")
    page.context.close()


def test_payment_page_warns_too(chromium: Browser, live_server: LiveServer) -> None:
    (payment,) = waiting()
    ben = browser("analyst", "ben")
    do(ben, payment, "claim")
    page = signed_in(chromium, live_server.url, ben)
    page.clock.install()
    page.goto(live_server.url + payment_page(payment))

    page.clock.run_for("14:30")

    expect(page.get_by_role("alert")).to_contain_text("Your claim ends in less than a minute.")
    page.context.close()


def test_end_of_the_claim_is_shown_without_scripts(
    chromium: Browser, live_server: LiveServer
) -> None:
    (payment,) = waiting()
    ben = browser("analyst", "ben")
    do(ben, payment, "claim")
    page = signed_in(chromium, live_server.url, ben, java_script_enabled=False)
    page.goto(live_server.url + at(payment, "approve"))
    page.get_by_label("Note").fill("Called back.")

    page.get_by_role("button", name="Extend claim").click()

    expect(page.get_by_text("Your claim ends at")).to_be_visible()
    expect(page.get_by_label("Note")).to_have_value("Called back.")
    page.context.close()
