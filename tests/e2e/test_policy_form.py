"""The policy form in a browser works by keyboard and without JavaScript, and passes axe."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from payments.application import policies
from payments.domain.risk.conditions import PaymentsOver, Window
from payments.domain.risk.policy import DEFAULT_POLICY
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import PASSWORD, Desk, check_accessible, check_shown
from tests.support.policies import STRICT, propose, staff

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


@pytest.fixture
def manager(desk: Desk) -> Desk:
    """The window of a risk manager who has signed in."""
    grace = get_user_model().objects.get(username="grace")
    grace.groups.add(Group.objects.get(name="risk manager"))
    desk.log_in()
    return desk


def test_policy_is_proposed_by_keyboard(manager: Desk) -> None:
    """Lower one limit, add one rule, preview and propose."""
    page = manager.page
    keys = page.keyboard
    manager.open("/admin/policies/")
    manager.press_until("Propose a policy")
    keys.press("Enter")
    page.get_by_label("Name").focus()
    keys.type("Busy days")
    page.get_by_label("High risk held for review, USD: amount").focus()
    keys.press("Control+A")
    keys.type("8000")
    manager.press_until("Add a rule")
    keys.press("Enter")
    expect(page.locator("#rules-5-reason")).to_be_focused()
    keys.type("Busy day")
    keys.press("Tab")
    keys.type("many")
    keys.press("Tab")
    keys.press("Tab")
    keys.type("Number of payments")
    keys.press("Tab")
    keys.press("Enter")
    expect(page.locator("#rules-5-when-0-window")).to_be_focused()
    keys.type("24")
    keys.press("Tab")
    keys.type("50")
    keys.press("Enter")
    expect(page.locator("#problems")).to_be_focused()
    keys.press("Tab")
    keys.press("Enter")
    expect(page.locator("#rules-5-points")).to_be_focused()
    expect(page.locator("#rules-5-points_error")).to_have_text("'many' is not a whole number.")
    keys.press("Control+A")
    keys.type("30")
    keys.press("Enter")
    expect(page.locator("#preview")).to_be_focused()
    expect(page.get_by_text("over $10,000.00 → over $8,000.00")).to_be_visible()
    manager.press_until("Propose")
    keys.press("Enter")
    expect(page.get_by_text("Proposed. A second risk manager must approve it.")).to_be_visible()

    (found,) = policies.register().policies.values()
    assert found.name == "Busy days"
    document = found.policy.document
    assert document.review_over == {**DEFAULT_POLICY.document.review_over, "USD": 8_000_00}
    assert document.rules[5].when == (PaymentsOver(Window.DAY, 50),)
    assert (document.rules[5].reason, document.rules[5].points) == ("busy_day", 30)


def test_policy_is_written_and_approved_without_javascript(
    manager: Desk, chromium: Browser, live_server: LiveServer
) -> None:
    propose(STRICT, staff("mia"), name="Stricter")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/admin/policies/propose/")
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_text("Many payments by the customer within an hour").click()
    page.get_by_label("More than").fill("10")
    page.get_by_text("The customer is blocked").first.click()
    page.get_by_role("button", name="Remove Rule 1").click()
    page.get_by_role("button", name="Preview changes").click()
    expect(page.get_by_text("Removed rule customer_blocked")).to_be_visible()
    expect(page.get_by_text("20 → 10")).to_be_visible()
    page.get_by_role("link", name="Risk policies").click()
    page.get_by_role("link", name="Stricter").click()
    page.get_by_role("link", name="Approve and activate…").click()
    page.get_by_role("button", name="Activate this policy").click()
    expect(page.get_by_text("Policy activated.")).to_be_visible()
    context.close()

    assert policies.register().active == STRICT.policy_id


@pytest.mark.parametrize(
    "desk", ["light", pytest.param("dark", marks=pytest.mark.nightly)], indirect=True
)
def test_policy_editor_has_no_serious_accessibility_violation(manager: Desk) -> None:
    rules = ["color-contrast"] if manager.scheme == "dark" else None
    propose(STRICT, staff("mia"), name="W" * 80, comment="W" * 1_000)
    policy = f"/admin/policies/{STRICT.policy_id}/"

    check_accessible(manager, ["/admin/policies/", policy, f"{policy}approve/"], rules)
    manager.open("/admin/policies/propose/")
    manager.page.evaluate(
        "document.querySelectorAll('details').forEach((each) => each.open = true)"
    )
    manager.page.get_by_label("High risk held for review, USD: amount").fill("x")
    manager.page.get_by_role("button", name="Add a rule").click()
    manager.page.get_by_role("button", name="Preview changes").click()
    check_shown(manager, rules)
    manager.page.get_by_label("High risk held for review, USD: amount").fill("1")
    manager.page.get_by_role("button", name="Remove Rule 6").click()
    manager.page.get_by_role("button", name="Edit as JSON").click()
    manager.page.get_by_role("button", name="Preview changes").click()
    check_shown(manager, rules)
