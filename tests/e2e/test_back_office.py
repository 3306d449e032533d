"""The back office in a browser, by keyboard, in light and dark. It calls no other hosts."""

import re
from typing import Final

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from payments.events.models import Event
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import PASSWORD, Desk, serious
from tests.support.api import body_of, project

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


BOTH_SCHEMES: Final = pytest.mark.parametrize(
    "desk", ["light", pytest.param("dark", marks=pytest.mark.nightly)], indirect=True
)


def test_payment_is_claimed_and_approved_by_keyboard(
    desk: Desk,
) -> None:
    desk.log_in()
    page = desk.page
    desk.press_until("Review queue")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("reviews"))
    expect(page.get_by_role("button", name="Claim next")).to_be_visible()
    page.get_by_placeholder("Name, reference").press_sequentially("no, n is a letter here")
    page.wait_for_timeout(500)
    assert page.url.endswith("/reviews/")
    page.get_by_role("link", name="$15,000.00").focus()
    page.keyboard.press("n")
    page.wait_for_url(re.compile("change"))
    expect(page.get_by_role("heading", name="Yours until")).to_be_visible()
    expect(page.get_by_text("The customer's first card payment").first).to_be_visible()
    page.keyboard.press("Control+a")
    page.wait_for_timeout(500)
    assert page.url.endswith("/change/?from=queue")
    page.keyboard.press("a")
    page.wait_for_url(re.compile("approve"))
    expect(page.get_by_label("Verified with customer")).to_be_focused()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("Called back, all fine? c n r e")  # letters in a field are no shortcuts
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("change"))
    expect(page.get_by_text("Approved. Lists update within a few seconds.")).to_be_visible()
    history = page.locator("ol.history li")
    expect(history).to_have_count(5)
    expect(history.nth(2)).to_contain_text("Claimed for review")
    expect(history.nth(3)).to_contain_text("Verified with customer")
    expect(history.nth(3)).to_contain_text("“Called back, all fine? c n r e”")
    expect(history.nth(3)).to_contain_text("by grace")
    project()
    payment = body_of(desk.client.get(f"/api/v1/payments/{desk.payment}"))
    assert payment["status"] == "completed"
    assert payment["review"]["decision"] == "approved"
    assert payment["review"]["reason"] == "verified_with_customer"
    assert payment["review"]["reviewer"].startswith("staff:")
    page.keyboard.press("n")
    page.wait_for_url(re.compile("reviews"))
    expect(page.get_by_text("There is nothing left that you can decide.")).to_be_visible()


@BOTH_SCHEMES
def test_shortcuts_are_listed_and_can_be_switched_off(desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    desk.open(f"/admin/readmodels/paymentsummary/{desk.payment}/change/")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard")
    for each in ("Approve", "Reject", "Escalate", "Claim", "Claim next", "Show this list"):
        expect(keys.get_by_text(each, exact=True)).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("a")
    page.wait_for_timeout(500)
    expect(keys).to_be_visible()  # shortcuts are off while the dialog is open
    page.keyboard.press("Space")  # toggles the checkbox
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("a")
    desk.open("/admin/reviews/")
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile("reviews/$"))
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_label("Use single-key shortcuts").check()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("n")
    page.wait_for_url(re.compile("change"))


def test_escalation_without_a_note_focuses_the_note(desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    desk.open(f"/admin/readmodels/paymentsummary/{desk.payment}/escalate/")
    page.get_by_label("Second opinion").check()
    page.get_by_role("button", name="Escalate").click()
    expect(page.get_by_role("alert")).to_have_text(
        "Describe in the note what the senior reviewer should check."
    )
    expect(page.get_by_label("Note (required)")).to_be_focused()


def test_decision_without_a_reason_shows_an_error(desk: Desk) -> None:
    desk.log_in()
    desk.open(f"/admin/readmodels/paymentsummary/{desk.payment}/reject/")
    desk.page.get_by_role("button", name="Reject").click()
    expect(desk.page.get_by_role("alert")).to_have_text("This field is required.")


def test_back_after_a_partial_refund_refunds_nothing_more(desk: Desk) -> None:
    paid = body_of(desk.client.submit(amount=450_000))["id"]
    desk.log_in()
    desk.open(f"/admin/readmodels/paymentsummary/{paid}/refund/")
    desk.page.get_by_label("Amount in").fill("5.00")
    desk.page.get_by_label("Requested by customer").check()
    desk.page.get_by_role("button", name="Refund").click()
    expect(desk.page.get_by_text("Refunded. €")).to_be_visible()
    desk.page.go_back()
    expect(desk.page.get_by_text("You refunded")).to_be_visible()
    desk.page.get_by_label("Requested by customer").check()  # the browser may restore the choice
    desk.page.get_by_role("button", name="Refund").click()
    expect(desk.page.get_by_role("alert")).to_have_text("This field is required.")
    assert Event.objects.filter(event_type="payment.refunded").count() == 1


def test_payment_is_claimed_and_rejected_without_javascript(
    desk: Desk, chromium: Browser, live_server: LiveServer
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/admin/reviews/")
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("kbd:visible", has_text="n")).to_have_count(0)
    page.get_by_role("button", name="Claim next").click()
    page.get_by_role("link", name="Reject").click()
    page.get_by_label("Suspected fraud").check()
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_text("Rejected. Lists update within a few seconds.")).to_be_visible()
    context.close()


@BOTH_SCHEMES
def test_lockout_page_says_how_long_to_wait(desk: Desk) -> None:
    desk.open("/admin/")
    for _ in range(5):
        desk.page.get_by_label("Username").fill("grace")
        desk.page.get_by_label("Password").fill("something else")
        desk.page.keyboard.press("Enter")
        desk.page.wait_for_load_state()
    expect(desk.page.get_by_text("Wait 15 minutes")).to_be_visible()
    assert serious(desk.page) == []
    desk.page.get_by_role("link", name="Back to sign-in").click()
    expect(desk.page.get_by_label("Username")).to_be_visible()
    desk.complaints.clear()  # Chromium complains about the expected 429


def test_api_documentation_opens(desk: Desk) -> None:
    desk.open("/api/docs/")
    expect(desk.page.get_by_text("Submit a payment").first).to_be_visible()
