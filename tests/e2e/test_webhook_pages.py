"""The webhook pages in a browser work by keyboard, without JavaScript, and on narrow screens."""

import re
from typing import Final
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from readmodels.webhooks.models import Endpoint, Outcome, State
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import PASSWORD, Desk, check_accessible, wider_parts
from tests.support.api import project
from tests.support.examples import NOON
from tests.support.webhooks import URL, attempt, endpoint, hold

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]

LISTS: Final = [f"/admin/webhooks/{name}/" for name in ("endpoint", "attempt", "heldpayment")]
RIGHT_TO_LEFT: Final = "نقطة نهاية المتجر الرئيسي"


@pytest.fixture
def manager(desk: Desk) -> Desk:
    """The window of a risk manager who has signed in."""
    grace = get_user_model().objects.get(username="grace")
    grace.groups.add(Group.objects.get(name="risk manager"))
    desk.log_in()
    return desk


def pages_of(made: Endpoint) -> list[str]:
    buttons = ("change", "edit", "disable", "rotate", "replay")
    return [f"/admin/webhooks/endpoint/{made.pk}/{page}/" for page in buttons]


def fill(made: Endpoint) -> str:
    """Give the endpoint long and right-to-left texts. Return the URL of an attempt."""
    Endpoint.objects.filter(pk=made.pk).update(
        url=f"{URL}/{'x' * 300}?token={'W' * 100}",
        description=RIGHT_TO_LEFT,
        failures=4,
        failing_since=NOON,
        old_secret_until=NOON,
    )
    hold(made, error=f"The endpoint answered 422: {'W' * 300}")
    hold(made, payment_id=uuid4(), error=RIGHT_TO_LEFT)
    attempt(made, outcome=Outcome.FAILED, status=None, error="W" * 300)
    last = attempt(
        made, outcome=Outcome.REJECTED, status=422, response=f"<b>{'W' * 900}</b>\n{RIGHT_TO_LEFT}"
    )
    return f"/admin/webhooks/attempt/{last.pk}/change/"


@pytest.mark.parametrize(
    "desk", ["light", pytest.param("dark", marks=pytest.mark.nightly)], indirect=True
)
def test_webhook_pages_have_no_serious_accessibility_violation(manager: Desk) -> None:
    rules = ["color-contrast"] if manager.scheme == "dark" else None
    check_accessible(manager, LISTS, rules)  # while the lists are empty
    made, paused, disabled = (endpoint(url=f"{URL}/{number}") for number in range(3))
    filled = fill(made)
    Endpoint.objects.filter(pk=paused.pk).update(state=State.PAUSED)
    Endpoint.objects.filter(pk=disabled.pk).update(
        state=State.DISABLED, disabled_reason="It answered 410."
    )

    paths = [*LISTS, *pages_of(made), filled, "/admin/", "/admin/webhooks/endpoint/add/"]
    paths += [pages_of(paused)[0], pages_of(disabled)[0]]

    check_accessible(manager, paths, rules)


def test_long_text_neither_widens_webhook_pages_nor_is_cut(manager: Desk) -> None:
    made = endpoint("W" * 200)
    disabled = endpoint(url=f"{URL}/disabled")
    filled = fill(made)
    Endpoint.objects.filter(pk=disabled.pk).update(state=State.DISABLED, disabled_reason="W" * 200)

    paths = [*LISTS, *pages_of(made), *pages_of(disabled), filled, "/admin/"]

    assert wider_parts(manager, paths) == []


def test_endpoint_is_added_paused_and_replayed_by_keyboard(manager: Desk) -> None:
    page = manager.page
    manager.open(LISTS[0])
    manager.press_until("Add endpoint")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("add"))
    page.get_by_label("Client").focus()
    page.keyboard.type("Acme")
    page.keyboard.press("Tab")
    page.keyboard.type(URL)
    page.keyboard.press("Enter")
    secret = page.get_by_text(re.compile("^whsec_")).inner_text()
    manager.press_until("Show the endpoint")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("change"))
    manager.press_until("Pause")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Paused. Events are kept until you resume.")).to_be_visible()
    manager.press_until("Replay…")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("replay"))
    page.get_by_label("After the position").focus()
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 events after position 0 will be sent again")).to_be_visible()
    expect(page.get_by_text("The endpoint is paused.")).to_be_visible()
    manager.press_until("Replay")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The cursor is at 0.")).to_be_visible()

    made = Endpoint.objects.get()
    assert (made.state, made.position) == (State.PAUSED, 0)
    assert secret not in page.content()


def test_endpoint_is_managed_without_javascript(
    manager: Desk, chromium: Browser, live_server: LiveServer
) -> None:
    project()
    context = chromium.new_context(java_script_enabled=False)
    page: Page = context.new_page()
    page.goto(f"{live_server.url}/admin/webhooks/endpoint/add/")
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_label("Client").select_option("Acme")
    page.get_by_label("URL").fill(URL)
    page.get_by_label("payment.failed").check()
    page.get_by_role("button", name="Add").click()
    page.get_by_role("link", name="Show the endpoint").click()
    for button, shown in (
        ("Send test", "A test message is sent"),
        ("Pause", "Paused. Events are kept until"),
        ("Resume", "Resumed. The next delivery"),
    ):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_text(shown)).to_be_visible()
    page.get_by_role("link", name="Disable…").click()
    page.get_by_label("Reason").fill("Asked by the client")
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("Disabled. Events are kept until")).to_be_visible()
    page.get_by_role("link", name="Rotate secret…").click()
    page.get_by_role("button", name="Rotate secret").click()
    expect(page.get_by_text(re.compile("^whsec_"))).to_be_visible()
    context.close()

    made = Endpoint.objects.get()
    assert (made.state, made.event_types) == (State.DISABLED, ["payment.failed"])
    assert made.old_secret is not None
