"""An open queue stays current in a browser and does not move what a person is reading."""

from datetime import timedelta
from typing import Final

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from readmodels.admin import dashboard
from readmodels.admin.base.fragments import time_left
from readmodels.admin.review import queue
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import Desk, check_shown
from tests.e2e.service import wait_for
from tests.support.api import project
from tests.support.reviewing import do, waiting

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]

QUEUE: Final = "/admin/reviews/"
# Milliseconds within which a poll is answered, even on a busy machine.
_LAST_ANSWER: Final = 2_000
_LEFT: Final = [
    timedelta(seconds=seconds)
    for seconds in (-1, 0, 1, 59, 60, 61, 119, 120, 3_599, 3_600, 7_199, 86_399, 86_400, 172_800)
]


@pytest.fixture
def colleague() -> Client:
    user = get_user_model().objects.create(username="ben", is_staff=True)
    user.groups.add(Group.objects.get(name="senior reviewer"))
    signed_in = Client()
    signed_in.force_login(user)
    return signed_in


@pytest.fixture
def signed_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A signed-in window whose next pages poll often. The sign-in waits for an idle page first."""
    desk.log_in()
    monkeypatch.setattr(queue, "POLL_SECONDS", 0.3)
    monkeypatch.setattr(dashboard, "_POLL_SECONDS", 0.3)
    return desk


def order(page: Page) -> list[str]:
    return [str(each) for each in page.locator("#result_list .field-money a").all_inner_texts()]


def test_open_queue_shows_what_changed_and_moves_nothing(
    signed_in: Desk, colleague: Client
) -> None:
    claimed, decided = waiting(2)
    signed_in.open(QUEUE)
    page = signed_in.page
    rows = page.locator("#result_list tr.data-row")
    expect(rows).to_have_count(3)
    before = order(page)
    tab = page.get_by_role("link", name="Unclaimed").locator("[data-count]")
    expect(tab).to_have_text("3")
    top = rows.first.bounding_box()

    do(colleague, claimed, "claim")
    do(colleague, decided, "reject")
    waiting(3)

    expect(page.locator("[data-news]")).to_have_text("3 new payments, 1 decided.")
    expect(tab).to_have_text("4")
    expect(page.locator("[data-waiting]").first).to_have_text("5")
    expect(rows.nth(1)).to_contain_text("ben")
    expect(rows.nth(2)).to_contain_text("Rejected")
    assert order(page) == before
    assert rows.first.bounding_box() == top
    check_shown(signed_in, None)
    page.get_by_role("link", name="Refresh").click()
    expect(rows).to_have_count(5)
    expect(page.locator("[data-news]")).to_be_hidden()


def asked(page: Page) -> int:
    """Return how often the page has polled."""
    polls = "performance.getEntriesByType('resource').filter(each => each.name.includes('/poll/'))"
    return int(page.evaluate(f"{polls}.length"))


def test_hidden_page_asks_nothing(signed_in: Desk) -> None:
    signed_in.open(QUEUE)
    page = signed_in.page
    hide = """(hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    wait_for(lambda: asked(page) > 1)

    page.evaluate(hide, True)
    page.wait_for_timeout(_LAST_ANSWER)
    before = asked(page)
    page.wait_for_timeout(1_000)
    assert asked(page) == before

    page.evaluate(hide, False)
    wait_for(lambda: asked(page) > before)


def test_page_of_a_person_who_signed_out_stops_asking(signed_in: Desk) -> None:
    signed_in.open(QUEUE)
    page = signed_in.page
    page.context.clear_cookies()
    page.wait_for_timeout(_LAST_ANSWER)
    before = asked(page)

    page.wait_for_timeout(1_000)

    assert asked(page) == before
    expect(page.locator("#result_list")).to_be_visible()


def test_remaining_time_counts_down_as_the_server_writes_it(signed_in: Desk) -> None:
    """The script repeats the logic of `time_left`, so the test compares both at every boundary."""
    signed_in.open(QUEUE)
    page = signed_in.page
    page.clock.set_fixed_time("2026-11-30T12:00:00Z")
    page.reload()
    count = """(left) => {
        const each = document.querySelector("time[data-countdown]");
        const now = Date.parse(document.querySelector("[data-waiting]").dataset.now);
        each.dateTime = new Date(now + left * 1000).toISOString();
        document.dispatchEvent(new Event("visibilitychange"));
        return each.textContent;
    }"""

    found = [page.evaluate(count, left.total_seconds()) for left in _LEFT]

    at = timezone.now()
    assert found == [time_left(at + left, at)[0] for left in _LEFT]


def test_dashboard_keeps_its_count_current(signed_in: Desk) -> None:
    signed_in.open("/admin/")
    badge = signed_in.page.locator("[data-waiting]").first
    expect(badge).to_have_text("1")

    waiting(2)
    project()

    expect(badge).to_have_text("3")
