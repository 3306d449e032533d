"""A day at the review desk in a browser: two people, by keyboard only."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import Browser, expect

from payments.events.models import Event
from readmodels.models import PaymentSummary, RebuildRun
from readmodels.models.rebuilds import RunState
from readmodels.rebuild.runs import leases, working
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import PASSWORD, Desk
from tests.support import second_reviews
from tests.support.api import RISKY, body_of, project
from tests.support.reviewing import at, payment_page, waiting

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]

NOTE: Final = "Called back. The device is that of another customer."


@pytest.fixture
def ben(desk: Desk, chromium: Browser) -> Iterator[Desk]:
    """The window of Ben, an analyst, who has signed in. The other window is Grace's."""
    user = get_user_model().objects.create_user("ben", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="analyst"))
    context = chromium.new_context()
    window = replace(desk, page=context.new_page())
    window.log_in("ben")
    yield window
    context.close()


def test_payment_is_claimed_in_a_view_snoozed_and_decided(desk: Desk, ben: Desk) -> None:
    page = ben.page
    _save_view(ben, "risk_band__exact=high", "High risk")
    page.keyboard.press("n")
    page.wait_for_url(re.compile("change"))
    expect(page.get_by_role("heading", name="Yours until")).to_be_visible()
    expect(page.get_by_role("heading", name="Payments of the customer")).to_be_visible()
    expect(page.get_by_text("The customer's first card payment").first).to_be_visible()

    ben.press("Add a note")
    ben.press_until("Note")
    page.keyboard.type("No answer, again at three.")
    ben.press("Add note")
    expect(page.get_by_text("Note added.")).to_be_visible()

    page.keyboard.press("s")
    page.wait_for_url(re.compile("snooze"))
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Snoozed by you until")).to_be_visible()
    project()
    ben.open("/admin/reviews/?risk_band__exact=high")
    expect(page.get_by_role("link", name="$15,000.00")).to_have_count(0)

    ben.open(payment_page(ben.payment))
    ben.press("End snooze")
    expect(page.get_by_text("The snooze has ended.")).to_be_visible()
    page.keyboard.press("a")
    page.wait_for_url(re.compile("approve"))
    page.keyboard.press("Space")
    ben.press("Approve")
    expect(page.get_by_text("Approved. Lists update within a few seconds.")).to_be_visible()
    assert _types(ben.payment) == [
        "payment.review_claimed",
        "payment.note_added",
        "payment.review_snoozed",
        "payment.review_resumed",
        "payment.approved",
        "payment.processed",
    ]


def test_lost_race_keeps_the_note_and_a_colleague_hands_over(desk: Desk, ben: Desk) -> None:
    other = body_of(ben.client.submit(**RISKY | {"customer_id": "second", "reference": "order-2"}))
    project()
    ben.open(at(ben.payment, "reject"))
    ben.page.keyboard.press("Space")
    ben.press_until("Note (optional)")
    ben.page.keyboard.type(NOTE)

    desk.log_in()
    _reject(desk, desk.payment)
    ben.press("Reject")
    expect(ben.page.get_by_role("alert").first).to_contain_text("grace")
    expect(ben.page.get_by_label("Note").first).to_have_value(NOTE)

    desk.open(payment_page(other["id"]))
    desk.page.keyboard.press("h")
    desk.page.wait_for_url(re.compile("assign"))
    desk.press_until("Assign to")
    desk.page.keyboard.type("ben")
    desk.press("Assign")
    expect(desk.page.get_by_text("Assigned to ben.", exact=True)).to_be_visible()
    project()
    ben.open("/admin/reviews/")
    ben.page.keyboard.press("n")
    ben.page.wait_for_url(re.compile(other["id"]))


def test_ten_are_rejected_at_once_while_a_colleague_takes_two_away(desk: Desk, ben: Desk) -> None:
    decided, claimed, *others = [desk.payment, *waiting(9)]
    page = ben.page
    ben.open("/admin/reviews/")
    ben.press_until("All 10 on this page")
    page.keyboard.press("Space")
    expect(page.get_by_text("10 selected")).to_be_visible()
    page.keyboard.press("r")
    expect(page.get_by_role("heading", name="Reject 10 payments").first).to_be_visible()
    expect(page.get_by_label("Suspected fraud")).to_be_focused()

    desk.log_in()
    _reject(desk, decided)
    desk.open(payment_page(claimed))
    desk.page.keyboard.press("c")
    expect(desk.page.get_by_role("heading", name="Yours until")).to_be_visible()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type(NOTE)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_text("8 of 10 rejected. 2 are not.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("8 of 10 rejected. 2 are not.")).to_be_visible()
    expect(page.get_by_text("This payment was rejected by grace")).to_be_visible()
    expect(page.get_by_text("grace has claimed this payment until")).to_be_visible()
    rejected = Event.objects.filter(
        event_type="payment.rejected", metadata__correlation_id__startswith="bulk:"
    )
    assert {str(each.aggregate_id) for each in rejected} == set(others)


def test_second_reviewer_concludes_before_the_decision_is_shown(
    desk: Desk, ben: Desk, settings: Any
) -> None:
    settings.SECOND_REVIEW_PERCENT = 100
    ben.open(at(ben.payment, "approve"))
    ben.page.keyboard.press("Space")
    ben.press_until("Note (optional)")
    ben.page.keyboard.type(NOTE)
    ben.press("Approve")
    expect(ben.page.get_by_text("Approved. Lists update")).to_be_visible()
    second_reviews.request_all()

    desk.log_in()
    page = desk.page
    desk.open("/admin/second-reviews/")
    desk.press("$15,000.00")
    page.wait_for_url(re.compile("conclude"))
    expect(page.get_by_text("You see what was known before the decision.")).to_be_visible()
    expect(page.get_by_text(NOTE)).to_have_count(0)
    desk.press_until("Approve: verified with customer")
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("I would have rejected it.")
    desk.press("Conclude")

    page.wait_for_url(re.compile("change"))
    expect(page.get_by_text("Second review concluded.")).to_be_visible()
    expect(page.get_by_text(NOTE)).to_be_visible()
    (_, concluded) = second_reviews.events()
    assert concluded.data["verdict"]["reason"] == "suspected_fraud"
    assert concluded.data["severity"] == "minor"


def test_rebuild_is_swapped_in_without_scripts_and_corrects_the_list_of_a_colleague(
    desk: Desk, ben: Desk, chromium: Browser
) -> None:
    get_user_model().objects.get(username="grace").groups.set(
        [Group.objects.get(name="risk manager")]
    )
    PaymentSummary.objects.filter(pk=desk.payment).update(method="wallet")
    ben.open("/admin/readmodels/paymentsummary/?method__exact=wallet")
    expect(ben.page.get_by_role("cell", name="$15,000.00")).to_be_visible()

    context = chromium.new_context(java_script_enabled=False)
    manager = replace(desk, page=context.new_page())
    page = manager.page
    manager.open("/admin/")
    manager.press_until("Username")
    page.keyboard.type("grace")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    manager.press("Projections")
    manager.press("Rebuild…")
    manager.press("Build and compare")
    expect(page.get_by_role("heading", name="Waiting for a worker.")).to_be_visible()
    # The page follows the worker without a reload, from its start to the report.
    lease = leases.claim(at=timezone.now())
    assert lease is not None
    expect(page.get_by_role("heading", name="Building new tables.")).to_be_visible()
    leases.end(lease)
    working.run_waiting()
    expect(page.get_by_role("heading", name="1 row differs from the log.")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("method wallet credit_card"))).to_be_visible()
    manager.press("Swap in…")
    expect(page.get_by_text("payment_summary: 1 of 2 rows change.")).to_be_visible()
    manager.press("Build again and swap in")
    expect(page.get_by_text("Confirmed. The tables are swapped in")).to_be_visible()
    working.run_waiting()
    expect(
        page.get_by_role("heading", name="Swapped in. Readers use the new tables.")
    ).to_be_visible()
    context.close()

    ben.page.reload()
    expect(ben.page.get_by_role("cell", name="$15,000.00")).to_have_count(0)
    assert RebuildRun.objects.get().state == RunState.SWAPPED


def _reject(desk: Desk, payment: str) -> None:
    desk.open(payment_page(payment))
    desk.page.keyboard.press("r")
    desk.page.wait_for_url(re.compile("reject"))
    desk.page.keyboard.press("Space")
    desk.press("Reject")
    expect(desk.page.get_by_text("Rejected. Lists update")).to_be_visible()


def _save_view(desk: Desk, query: str, name: str) -> None:
    desk.open(f"/admin/reviews/?{query}")
    desk.press("Save this view")
    desk.page.wait_for_url(re.compile("save"))
    desk.press_until("Name")
    desk.page.keyboard.type(name)
    desk.press("Save")
    expect(desk.page.get_by_text(f"Saved as “{name}”.")).to_be_visible()
    expect(desk.page.get_by_role("link", name=name)).to_be_visible()


def _types(payment: str) -> list[str]:
    """Return the types of the payment's events since its submission."""
    events = Event.objects.filter(aggregate_id=payment, version__gt=2).order_by("version")
    return list(events.values_list("event_type", flat=True))
