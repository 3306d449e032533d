"""If a customer is blocked while a payment waits, the reviewer sees it and must write a note."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from payments import actors
from payments.customers import blocking
from payments.customers.models import Customer, Note
from payments.domain.customer import BlockReason, UnblockReason
from payments.events.models import Event
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of
from tests.support.backoffice import browser, text
from tests.support.examples import OPERATOR
from tests.support.reviewing import at, do, form, payment_page, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NOTE: Final = "The same cards elsewhere."


def block(by: str = OPERATOR, *, ago: timedelta = timedelta()) -> None:
    customer = Customer.objects.get()
    blocking.change(
        customer.pk,
        reason=BlockReason.SUSPECTED_FRAUD,
        note=NOTE,
        by=by,
        at=timezone.now() - ago,
    )


def unblock() -> None:
    customer = Customer.objects.get()
    blocking.change(
        customer.pk, reason=UnblockReason.CLEARED, note=NOTE, by=OPERATOR, at=timezone.now()
    )


def event_types(payment: str) -> list[str]:
    events = Event.objects.filter(aggregate_id=UUID(payment)).order_by("version")
    return [event.event_type for event in events]


def test_pages_show_the_block_that_was_set_while_the_payment_waited() -> None:
    (payment,) = waiting()
    grace = browser()
    by = actors.staff(get_user_model().objects.get(username="grace").pk)
    assert "was blocked" not in text(grace.get(payment_page(payment)))

    block(by)

    for page in (payment_page(payment), at(payment, "approve"), at(payment, "reject")):
        shown = text(grace.get(page))
        assert "The customer was blocked by grace on " in shown
        assert f", while this payment waited: suspected fraud. “{NOTE}” Approving req" in shown


def test_pages_show_an_earlier_block_without_saying_that_the_payment_waited() -> None:
    (payment,) = waiting()

    block(ago=timedelta(days=1))

    shown = text(browser().get(payment_page(payment)))
    assert "The customer was blocked by" in shown
    assert "while this payment waited" not in shown


def test_pages_show_the_block_without_its_erased_note() -> None:
    (payment,) = waiting()
    block()

    Note.objects.all().delete()

    assert ": suspected fraud. Approving requires a note." in text(
        browser().get(payment_page(payment))
    )


def test_pages_do_not_show_a_lifted_block() -> None:
    (payment,) = waiting()
    block()

    unblock()

    assert "was blocked" not in text(browser().get(payment_page(payment)))


def test_approval_for_a_blocked_customer_needs_a_note() -> None:
    (payment,) = waiting()
    grace = browser()
    sent = form(grace, payment, "approve", reason="known_customer")
    block()

    assert "Note (required)" in text(grace.get(at(payment, "approve")))
    refused: Any = grace.post(at(payment, "approve"), sent)

    assert "note" in refused.context["form"].errors
    assert "Explain in the note why you are approving this payment." in text(refused)
    assert event_types(payment)[-1] == "payment.flagged_for_review"
    assert "Approved." in do(grace, payment, "approve", note="He proved it.")
    assert event_types(payment)[-1] == "payment.processed"


def test_rejection_for_a_blocked_customer_needs_no_note() -> None:
    (payment,) = waiting()
    block()

    assert "Rejected." in do(browser(), payment, "reject", reason="suspected_fraud")


def test_approval_of_the_api_for_a_blocked_customer_needs_a_note() -> None:
    client = ApiClient()
    payment = body_of(client.submit(**RISKY))["id"]
    block()
    path, reason = f"{PAYMENTS}/{payment}/approve", {"reason": "known_customer"}

    refused = client.post(path, reason)
    approved = client.post(path, reason | {"note": "He proved it."}, key="1")

    assert (refused.status_code, body_of(refused)["code"]) == (422, "note_needed")
    assert (approved.status_code, body_of(approved)["status"]) == (200, "completed")


def test_repeated_approval_is_replayed_after_the_customer_was_blocked() -> None:
    client = ApiClient()
    payment = body_of(client.submit(**RISKY))["id"]
    path, reason = f"{PAYMENTS}/{payment}/approve", {"reason": "known_customer"}
    first = client.post(path, reason, key="1")

    block()
    again = client.post(path, reason, key="1")

    assert again["Idempotency-Replayed"] == "true"
    assert body_of(again) == body_of(first)
