"""A decision's page names the payment in a title that stays visible, and shows the evidence."""

import pytest
from playwright.sync_api import expect

from payments.customers.models import Customer
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import Desk
from tests.support.reviewing import at

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


# A window of 1,280 pixels has 640 CSS pixels at a zoom of 200 %.
@pytest.mark.parametrize("width", [390, 640, 1280, 1440])
def test_title_of_a_decision_stays_visible_at_any_width(desk: Desk, width: int) -> None:
    Customer.objects.update(name="Ada Ng")
    desk.log_in()
    page = desk.page
    page.set_viewport_size({"width": width, "height": 450})

    desk.open(at(desk.payment, "approve"))

    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text("Approve $15,000.00 from A** N*")
    assert page.evaluate("scrollY") == 0, "the focus scrolled the evidence away"
    page.get_by_role("button", name="Approve").scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(title).to_be_in_viewport(ratio=1)
    field = page.get_by_label("Note")
    field.focus()
    bottom, top = (each.bounding_box() for each in (title, field))
    assert bottom is not None
    assert top is not None
    assert top["y"] >= bottom["y"] + bottom["height"], "the title covers the field"


def test_title_with_a_long_name_takes_two_lines_at_most(desk: Desk) -> None:
    Customer.objects.update(name="W" * 200)
    desk.log_in()
    desk.page.set_viewport_size({"width": 390, "height": 800})

    desk.open(at(desk.payment, "reject"))

    box = desk.page.get_by_role("heading", level=1).bounding_box()
    assert box is not None
    assert box["height"] < 100


def test_breadcrumb_leads_back_to_the_focused_row_of_the_queue(desk: Desk) -> None:
    desk.log_in()
    page = desk.page
    desk.open("/admin/reviews/?standing=free")
    page.get_by_role("link", name="$15,000.00").click()
    page.get_by_role("link", name="Review queue").last.click()

    page.wait_for_url("**/admin/reviews/?standing=free#row-*")

    expect(page.get_by_role("link", name="$15,000.00")).to_be_focused()
