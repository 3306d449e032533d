"""The life of a policy in a browser: propose, backtest, attach, approve, lose a dispute."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from payments.application import policies
from payments.domain.payment.codes import DisputeOutcome, DisputeReason
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.events.models import Event
from readmodels.backtests import working
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import PASSWORD, Desk
from tests.support.api import body_of, project
from tests.support.commands import run
from tests.support.disputing import note
from tests.support.example_commands import close_dispute, open_dispute
from tests.support.examples import usd

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]

AMOUNT: Final = 600_00
PAYMENT: Final[dict[str, Any]] = {"amount": AMOUNT, "currency": "USD"}


def test_policy_is_proven_before_it_takes_effect(desk: Desk, chromium: Browser) -> None:
    """The new rule would have held three completed payments. One of them is then lost as fraud."""
    for username in ("grace", "mia"):
        user, _ = get_user_model().objects.get_or_create(username=username, is_staff=True)
        user.set_password(PASSWORD)
        user.save()
        user.groups.set([Group.objects.get(name="risk manager")])
    paid = [body_of(desk.client.submit(**PAYMENT))["id"] for _ in range(3)]
    desk.log_in()
    page = desk.page

    _propose(desk)
    assert _tested(page) == "0 % of 3"
    verdict = page.locator(".verdict").inner_text()
    page.get_by_role("button", name="Attach to the proposal").click()
    expect(page.get_by_text("Attached to the proposal", exact=True)).to_be_visible()
    assert "3 would newly wait for review (0 fraud, 3 good, 0 unknown)" in verdict

    second = chromium.new_context().new_page()
    second.goto(f"{desk.url}/admin/policies/")
    second.get_by_label("Username").fill("mia")
    second.get_by_label("Password").fill(PASSWORD)
    second.keyboard.press("Enter")
    second.get_by_role("link", name="Hold over 500").click()
    second.get_by_role("link", name="Approve and activate…").click()
    event = Event.objects.get(event_type="policy.backtested")
    assert second.locator(".verdict").inner_text() == verdict == event.data["backtest"]["verdict"]
    expect(second.get_by_text(event.data["backtest"]["digest"])).to_be_visible()
    second.get_by_role("button", name="Activate this policy").click()
    expect(second.get_by_text("Policy activated.")).to_be_visible()

    answer = body_of(desk.client.submit(**PAYMENT))
    project()
    active = policies.register().active
    assert answer["status"] == "pending_review"
    explained, _ = run("explain", answer["id"])
    assert "Hold over 500" in explained
    assert str(active)[:12] in explained

    _lose(desk, paid[0])
    second.goto(f"{desk.url}/admin/policies/{active}/")
    assert _tested(second) == "33 % of 3"
    second.context.close()


def _propose(desk: Desk) -> None:
    page = desk.page
    desk.open("/admin/policies/propose/")
    page.get_by_label("Name").fill("Hold over 500")
    page.get_by_role("button", name="Add a rule").click()
    page.locator("#rules-5-reason").fill("Hold over 500")
    page.locator("#rules-5-points").fill("10")
    page.locator("#rules-5-then").select_option("review")
    page.locator("#rules-5-adding").select_option("amount_over")
    page.locator("#add-rules-5-when").click()
    amounts = page.locator("#rules-5-when-0-limits input[id$=amount]")
    expect(amounts).to_have_count(len(DEFAULT_POLICY.document.review_over))
    for amount in amounts.all():
        amount.fill("500")
    page.get_by_role("button", name="Propose", exact=True).click()
    expect(page.get_by_text("Proposed. A second risk manager must approve it.")).to_be_visible()


def _tested(page: Page) -> str:
    """Backtest the shown policy over the whole log. Return the precision of its new rule."""
    page.get_by_role("link", name="Test over history…").click()
    page.get_by_label("Payments of").select_option("all")
    page.get_by_label("Good after days").fill("0")
    page.get_by_role("button", name="Start the backtest").click()
    expect(page.get_by_text("Waiting for a worker.")).to_be_visible()
    working.run_in_background(until=timezone.now() + timedelta(seconds=60))
    page.reload()
    expect(page.get_by_role("heading", name="Verdict")).to_be_visible()
    rule = page.get_by_role("row").filter(has_text="hold_over_500")
    return str(rule.get_by_role("cell").nth(4).inner_text())


def _lose(desk: Desk, payment_id: str) -> None:
    now = timezone.now()
    notices = (
        open_dispute(opened_at=now, amount=usd(AMOUNT), reason=DisputeReason.FRAUDULENT, at=now),
        close_dispute(outcome=DisputeOutcome.LOST, lost_amount=usd(AMOUNT), closed_at=now, at=now),
    )
    note(UUID(payment_id), *notices, client=desk.client.client_id)
