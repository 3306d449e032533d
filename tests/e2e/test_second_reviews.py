"""A second review in a browser: concluded by keyboard, and accessible."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from readmodels.models import SecondReview
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import Desk, check_accessible, check_shown
from tests.support.api import project
from tests.support.routing import staff
from tests.support.second_reviews import approve, events

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


@pytest.mark.parametrize("desk", ["light", "dark"], indirect=True)
def test_second_review_is_concluded_by_keyboard_on_accessible_pages(
    desk: Desk, settings: Any
) -> None:
    settings.SECOND_REVIEW_PERCENT = 100
    approve(desk.payment, staff("ben"))
    project()
    rules = ["color-contrast"] if desk.scheme == "dark" else None
    desk.log_in()
    page = desk.page
    check_accessible(desk, ["/admin/second-reviews/"], rules)
    page.set_viewport_size({"width": 1440, "height": 900})
    desk.press_until("$15,000.00")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("conclude"))
    check_shown(desk, rules)

    desk.press_until("Approve: verified with customer")
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("The device is that of another customer.")
    desk.press_until("Conclude")
    page.keyboard.press("Enter")

    page.wait_for_url(re.compile("change"))
    expect(page.get_by_text("Second review concluded.")).to_be_visible()
    check_shown(desk, rules)
    (_, concluded) = events()
    assert concluded.data["verdict"]["reason"] == "suspected_fraud"
    assert concluded.data["severity"] == "minor"
    project()
    assert SecondReview.objects.get().second_approved is False
    check_accessible(desk, ["/admin/readmodels/secondreview/", "/admin/analytics/"], rules)
