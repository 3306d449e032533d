"""Follow a payment from its submission through a reviewer's browser to the merchant's webhook."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.service import Service, wait_for, whole_service
from tests.support.api import RISKY
from tests.support.sinks import Sink, sink

pytestmark = [
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


@pytest.fixture
def running() -> Iterator[Service]:
    """A whole service that may send webhooks to this machine."""
    with whole_service(DEBUG="1") as running:
        running.start_webhooks()
        yield running


@pytest.fixture
def receiver() -> Iterator[Sink]:
    with sink() as receiver:
        yield receiver


class Merchant:
    """A client's program with its own API key."""

    def __init__(self, running: Service) -> None:
        self._url = running.url
        scopes = ("payments:write", "payments:read", "webhooks:write")
        given = [argument for scope in scopes for argument in ("--scope", scope)]
        self._key = running.manage("create_api_key", "Acme", *given).strip()

    def ask(self, path: str, body: object = None) -> Any:
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid4()),
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}/api/v1/{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())


def approve(browser: Browser, running: Service, password: str) -> None:
    """Claim and approve the only waiting payment as ada."""
    page = browser.new_page()
    page.goto(f"{running.url}/admin/reviews/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    own = f"{password} of my own"
    for name, value in (("old_password", password), ("new_password1", own), ("new_password2", own)):
        page.locator(f"[name={name}]").fill(value)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Review queue").click()
    page.get_by_role("button", name="Claim next").click()
    page.get_by_role("link", name="Approve").click()
    page.get_by_label("Verified with customer").check()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Approved.")).to_be_visible()
    page.close()


def test_merchant_learns_the_decision_from_a_verified_webhook_and_the_feed(
    chromium: Browser, running: Service, receiver: Sink
) -> None:
    password = running.manage("create_staff", "ada", "--role", "senior reviewer").split()[-1]
    merchant = Merchant(running)
    endpoint = merchant.ask("webhook-endpoints", {"url": f"{receiver.url}/hook"})
    receiver.secrets["/hook"] = endpoint["secret"]

    payment = merchant.ask("payments", RISKY)
    assert payment["status"] == "pending_review"
    wait_for(lambda: len(receiver.received) == 1)
    approve(chromium, running, password)
    wait_for(lambda: len(receiver.received) == 3)

    received = [message.event for message in receiver.received]
    assert [event["type"] for event in received] == [
        "payment.flagged_for_review",
        "payment.approved",
        "payment.processed",
    ]
    assert [event["data"]["status"] for event in received] == [
        "pending_review",
        "completed",
        "completed",
    ]
    assert {event["data"]["payment_id"] for event in received} == {payment["id"]}
    assert receiver.invalid == []
    assert merchant.ask("events")["events"] == received
    assert merchant.ask(f"payments/{payment['id']}")["status"] == "completed"
