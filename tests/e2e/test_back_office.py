"""The back office in a real browser: by keyboard, in light and dark, without requests to other hosts."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from payments.customers.models import Customer
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.events.models import Event
from readmodels.models import EventIndex, ParkedEvent
from tests.e2e.chromium import CHROMIUM
from tests.support.api import FOUR_EYES, PAYMENTS, RISKY, ApiClient, body_of, project

PASSWORD: Final = "correct horse battery staple"
PAGES: Final = {
    "dashboard": "/admin/",
    "queue": "/admin/reviews/",
    "payments": "/admin/readmodels/paymentsummary/",
    "statistics": "/admin/readmodels/dailystatistics/",
    "policies": "/admin/policies/",
    "proposal": "/admin/policies/propose/",
    "policy": f"/admin/policies/{DEFAULT_POLICY.policy_id}/",
    "events": "/admin/readmodels/eventindex/",
    "customers": "/admin/customers/customer/",
    "clients": "/admin/clients/client/",
    "sign-ins": "/admin/axes/accesslog/",
    "failed sign-ins": "/admin/axes/accessfailurelog/",
    "projections": "/admin/readmodels/checkpoint/",
    "parked": "/admin/readmodels/parkedevent/",
    "discarded": "/admin/readmodels/discardedevent/",
}


pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on the PATH"),
]


@dataclass
class Desk:
    """A reviewer's browser window, with the errors that occurred in it."""

    page: Page
    url: str
    client: ApiClient
    payment: str
    scheme: Literal["light", "dark"]
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def log_in(self) -> None:
        self.open("/admin/")
        self.page.get_by_label("Username").fill("grace")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_text("Review queue")).to_be_visible()
        self.page.wait_for_load_state("networkidle")

    def complain(self, what: str, *, when: bool = True) -> None:
        if when:
            self.complaints.append(what)

    def serves(self, url: str) -> bool:
        return url.startswith((self.url, "data:", "blob:"))

    def press_until(self, text: str) -> None:
        """Press Tab until the focus is on the link, button or choice with this text."""
        says = """
            ["A", "BUTTON", "INPUT"].includes(document.activeElement.tagName)
            && (document.activeElement.innerText || document.activeElement.labels?.[0]?.innerText)
        """
        for _ in range(80):
            self.page.keyboard.press("Tab")
            # The names of icons are text, too, on separate lines.
            if text in [line.strip() for line in (self.page.evaluate(says) or "").splitlines()]:
                return
        pytest.fail(f"The Tab key never reached {text!r}.")


BOTH_SCHEMES: Final = pytest.mark.parametrize(
    "desk", ["light", pytest.param("dark", marks=pytest.mark.nightly)], indirect=True
)


@pytest.fixture
def desk(
    request: pytest.FixtureRequest, chromium: Browser, live_server: LiveServer
) -> Iterator[Desk]:
    """A signed-out reviewer's window. The parameter is the color scheme."""
    user = get_user_model().objects.create_user("grace", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="senior reviewer"))
    client = ApiClient()
    client.submit()
    payment = body_of(client.submit(**RISKY))["id"]
    project()
    scheme: Literal["light", "dark"] = getattr(request, "param", "light")
    context = chromium.new_context(color_scheme=scheme)
    page = context.new_page()
    desk = Desk(page, live_server.url, client, payment, scheme)
    page.on("pageerror", lambda error: desk.complain(f"script: {error}"))
    page.on("console", lambda message: desk.complain(message.text, when=message.type == "error"))
    page.on("request", lambda sent: desk.complain(sent.url, when=not desk.serves(sent.url)))
    yield desk
    context.close()
    assert desk.complaints == []


def test_payment_is_claimed_and_approved_by_keyboard(
    desk: Desk,
) -> None:
    desk.log_in()
    page = desk.page
    desk.press_until("Review queue")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("reviews"))
    expect(page.get_by_role("button", name="Claim next")).to_be_visible()
    page.get_by_placeholder("Payment id").press_sequentially("no, n is a letter here")
    page.wait_for_timeout(500)
    assert page.url.endswith("/reviews/")
    page.get_by_role("link", name="All", exact=True).focus()
    page.keyboard.press("n")
    page.wait_for_url(re.compile("change"))
    expect(page.get_by_role("heading", name="Yours until")).to_be_visible()
    expect(page.get_by_text("The customer's first card payment").first).to_be_visible()
    page.keyboard.press("Control+a")
    page.wait_for_timeout(500)
    assert page.url.endswith("/change/")
    page.keyboard.press("a")
    page.wait_for_url(re.compile("approve"))
    expect(page.get_by_label("Verified with customer")).to_be_focused()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("Called back, all fine? c n r e")  # typed text, no shortcuts
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
    assert _serious(page) == []
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
def test_pages_have_no_serious_accessibility_violation(desk: Desk) -> None:
    """Check every page with axe on wide and narrow screens. In the dark scheme, check colors only."""
    rules = ["color-contrast"] if desk.scheme == "dark" else None
    grace = get_user_model().objects.get(username="grace")
    grace.groups.add(Group.objects.get(name="risk manager"))
    desk.log_in()
    payment = f"/admin/readmodels/paymentsummary/{desk.payment}"
    first_approved = f"/admin/readmodels/paymentsummary/{_first_approved(desk.client)}"
    paid = f"/admin/readmodels/paymentsummary/{body_of(desk.client.submit())['id']}"
    customer = f"/admin/customers/customer/{Customer.objects.latest('created_at').pk}"
    event = EventIndex.objects.latest("position")
    parked = f"/admin/readmodels/parkedevent/{_park(event).pk}"
    paths = [
        *PAGES.values(),
        *(f"{payment}/{page}/" for page in ("change", "approve", "reject", "escalate", "cancel")),
        *(f"{first_approved}/{page}/" for page in ("change", "approve")),
        *(f"{paid}/{page}/" for page in ("change", "refund")),
        *(f"{parked}/{page}/" for page in ("change", "discard")),
        *(f"{customer}/{page}/" for page in ("change", "rename", "block")),
        f"/admin/clients/client/{desk.client.client_id}/change/",
        f"/admin/clients/client/key/{desk.client.key.pk}/revoke/",
        f"/admin/readmodels/eventindex/{event.pk}/change/",
    ]

    check_accessible(desk, paths, rules)


@pytest.mark.parametrize("desk", ["dark"], indirect=True)
def test_review_desk_has_enough_contrast_in_the_dark(desk: Desk) -> None:
    desk.log_in()
    payment = f"/admin/readmodels/paymentsummary/{desk.payment}"
    paths = [PAGES["queue"], f"{payment}/change/", f"{payment}/approve/"]
    check_accessible(desk, paths, ["color-contrast"])


def check_accessible(desk: Desk, paths: list[str], rules: list[str] | None) -> None:
    for path in paths:
        desk.page.set_viewport_size({"width": 1440, "height": 900})
        desk.open(path)
        for width in (1440, 420):
            desk.page.set_viewport_size({"width": width, "height": 900})
            assert _serious(desk.page, rules) == [], path
            wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert desk.page.evaluate(wider) <= 0, f"{path} is wider than {width} pixels"


def test_long_unbroken_text_does_not_widen_pages(desk: Desk) -> None:
    get_user_model().objects.update(first_name="W" * 150)
    grace = get_user_model().objects.get(username="grace")
    grace.groups.add(Group.objects.get(name="risk manager"))
    client = ApiClient("W" * 200)
    long = {"customer_id": "W" * 255, "reference": "W" * 255}
    payment = body_of(client.submit(**RISKY | long))["id"]
    Customer.objects.filter(reference="W" * 255).update(email="W" * 240 + "@example.com")
    body_of(client.submit(customer_id="W" * 254))
    Customer.objects.filter(reference="W" * 254).update(name="W" * 200)
    claimed = body_of(client.submit(**RISKY | {"reference": "W" * 254}))["id"]
    client.post(f"{PAYMENTS}/{claimed}/claim", {})
    project()
    parked = _park(event := EventIndex.objects.latest("position"))
    desk.log_in()
    customer = Customer.objects.get(reference="W" * 255)
    paths = [
        *PAGES.values(),
        *(f"/admin/readmodels/paymentsummary/{payment}/{page}/" for page in ("change", "approve")),
        f"/admin/readmodels/paymentsummary/{claimed}/change/",
        *(f"/admin/customers/customer/{customer.pk}/{page}/" for page in ("change", "rename")),
        f"/admin/clients/client/{client.client_id}/change/",
        f"/admin/clients/client/key/{client.key.pk}/revoke/",
        f"/admin/readmodels/eventindex/{event.pk}/change/",
        f"/admin/readmodels/parkedevent/{parked.pk}/change/",
    ]
    # Also lists that scroll: nobody sees the columns behind the edge.
    wider = """
        [...document.querySelectorAll("html, .json, :has(> #result_list)")]
            .filter((each) => each.scrollWidth > each.clientWidth + 1)
            .map((each) => [each.tagName, each.scrollWidth, each.clientWidth])
    """
    found = []
    for path in paths:
        desk.open(path)
        for width in (1440, 390):
            desk.page.set_viewport_size({"width": width, "height": 900})
            found += [(path, width, each) for each in desk.page.evaluate(wider)]

    assert found == []


@BOTH_SCHEMES
def test_lockout_page_says_how_long_to_wait(desk: Desk) -> None:
    desk.open("/admin/")
    for _ in range(5):
        desk.page.get_by_label("Username").fill("grace")
        desk.page.get_by_label("Password").fill("something else")
        desk.page.keyboard.press("Enter")
        desk.page.wait_for_load_state()
    expect(desk.page.get_by_text("Wait 15 minutes")).to_be_visible()
    assert _serious(desk.page) == []
    desk.page.get_by_role("link", name="Back to sign-in").click()
    expect(desk.page.get_by_label("Username")).to_be_visible()
    desk.complaints.clear()  # Chromium reports the 429


def test_api_documentation_opens(desk: Desk) -> None:
    desk.open("/api/docs/")
    expect(desk.page.get_by_text("Submit a payment").first).to_be_visible()


def _first_approved(client: ApiClient) -> str:
    """Return a payment with a first approval and an escalation."""
    body = FOUR_EYES | {"customer_id": "newcomer", "reference": "order-982"}
    payment: str = body_of(client.submit(**body))["id"]
    reasons = {"approve": {"reason": "other"}, "escalate": {"reason": "other", "note": "Odd."}}
    senior = ApiClient(staff="sam", senior=True)
    client.post(f"{PAYMENTS}/{payment}/approve", reasons["approve"])
    senior.post(f"{PAYMENTS}/{payment}/escalate", reasons["escalate"])
    project()
    return payment


def _park(event: EventIndex) -> ParkedEvent:
    return ParkedEvent.objects.create(
        projection="daily_statistics",
        aggregate_id=event.aggregate_id,
        position=event.position,
        version=event.version,
        event_type=event.event_type,
        error="ZeroDivisionError: no such rate",
        traceback=f"Traceback (most recent call last):\n  {'long ' * 50}",
        attempts=1,
        parked_at=event.recorded_at,
    )


def _serious(page: Page, rules: list[str] | None = None) -> list[Any]:
    """Return the serious violations of these rules, or of all rules."""
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    response = Axe().run(page, options=options).response
    found = json.loads(json.dumps(response["violations"]))
    return [
        (each["id"], node["html"][:200])
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]
