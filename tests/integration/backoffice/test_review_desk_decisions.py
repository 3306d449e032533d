"""Approving, rejecting, escalating, cancelling and refunding at the review desk."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from msgspec.structs import replace

from payments import actors
from payments.application.dispatch import CommandContext, dispatch
from payments.domain.money import Money, MoneyError
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.events.models import Event
from readmodels.admin.base import amounts
from tests.support.api import FOUR_EYES, ApiClient, project
from tests.support.backoffice import browser, text
from tests.support.example_commands import process
from tests.support.examples import HUGE, LARGE, PAYMENT, UNKNOWN
from tests.support.reviewing import (
    QUEUE,
    at,
    buttons,
    do,
    form,
    paid,
    payment_page,
    seen_by,
    waiting,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_escalation_requires_a_note_and_shows_it_to_the_senior_reviewer() -> None:
    (payment,) = waiting()
    ann, grace = browser("analyst", "ann"), browser()
    page = text(ann.get(at(payment, "escalate")))
    assert "Note (required)" in page
    answer = ann.post(at(payment, "escalate"), form(ann, payment, "escalate"))
    assert answer.status_code == 200
    assert "note" in answer.context["form"].errors
    assert "Describe in the note what the senior reviewer should check." in text(answer)
    assert Event.objects.count() == 2
    shown = do(ann, payment, "escalate", note="The address is new.")
    assert "Escalated. A senior reviewer decides next." in shown
    assert "This payment is escalated. A senior reviewer must decide." in shown
    assert buttons(ann, payment) == []
    assert buttons(grace, payment) == ["approve", "reject", "claim", "snooze", "assign", "cancel"]
    for path in (payment_page(payment), at(payment, "approve")):
        assert "Escalated by ann: Beyond my authority. “The address is new.”" in text(
            grace.get(path)
        )
    project()
    assert "Escalated" in text(ann.get(QUEUE))


def test_approval_against_the_policys_advice_requires_a_note() -> None:
    policy = replace(DEFAULT_POLICY.document, reject_from=80)
    get_user_model().objects.create(pk=1_000_077, username="maud")
    author = actors.staff(1_000_077)
    payment, grace = _flagged(policy=RiskPolicy.of(policy), policy_author=author), browser()
    shown = text(grace.get(payment_page(payment)))
    assert all(
        expected in shown for expected in ("Reject advised", "Approving requires a note", "maud")
    )
    assert "Note (required)" in text(grace.get(at(payment, "approve")))
    answer = grace.post(at(payment, "approve"), form(grace, payment, "approve"))
    assert "note" in answer.context["form"].errors
    assert "Explain in the note why you are approving it anyway" in text(answer)
    assert Event.objects.count() == 2
    assert "Approved." in do(grace, payment, "approve", note="They sent the invoice.")


def test_policy_proposer_cannot_approve_flagged_payments() -> None:
    maud = browser("risk manager", "maud")
    author = actors.staff(get_user_model().objects.get(username="maud").pk)
    payment = _flagged(policy_author=author, amount=HUGE)
    assert buttons(maud, payment) == ["reject", "escalate", "claim", "snooze"]
    why = "You proposed the policy that flagged this payment. Two other people must approve it."
    assert why in text(maud.get(payment_page(payment)))
    assert why in text(maud.get(at(payment, "approve"), follow=True))
    forged = {"reason": "known_customer", "key": str(uuid4()), "version": "2"}
    forged["seen"] = seen_by(maud, payment)
    assert why in text(maud.post(at(payment, "approve"), forged, follow=True))
    shown = text(browser().get(payment_page(payment)))
    assert "maud proposed the policy and cannot approve." in shown


def _flagged(**changes: Any) -> str:
    """Submit a payment with these changes by dispatch, without the API. Return its id."""
    client = ApiClient().client_id
    terms = {"amount": LARGE, "features": UNKNOWN, "client_id": client, "at": timezone.now()}
    dispatch(process(**terms | changes), CommandContext(actor=actors.client(client)))
    project()
    return str(PAYMENT)


def test_two_people_approve_in_two_browsers() -> None:
    (payment,) = waiting(amount=FOUR_EYES["amount"])
    ann, grace = browser("analyst", "ann"), browser()
    assert "First of two approvals" in text(ann.get(at(payment, "approve")))
    shown = do(ann, payment, "approve", note="Known for years.")
    assert "First approval recorded. A senior reviewer must give the second." in shown
    assert "You gave the first approval. A senior reviewer must give the second." in shown
    project()
    assert "first approval by ann" in text(grace.get(QUEUE))
    page = text(grace.get(at(payment, "approve")))
    assert "Second approval. ann gave the first; yours completes the payment." in page
    assert "First approval by ann: Verified with customer. “Known for years.”" in page
    shown = do(grace, payment, "approve")
    assert "Approved. Lists update within a few seconds." in shown
    assert "Completed. Approved by ann and grace." in shown


def test_first_approver_cannot_give_the_second_approval() -> None:
    (payment,) = waiting(amount=FOUR_EYES["amount"])
    grace = browser()
    sent = form(grace, payment, "approve")
    grace.post(at(payment, "approve"), sent)
    assert buttons(grace, payment) == ["reject", "escalate", "assign", "cancel"]
    assert "You gave the first approval. A senior reviewer must give the second." in text(
        grace.get(at(payment, "approve"), follow=True)
    )
    again = sent | {"key": str(uuid4()), "version": "3"}
    shown = text(grace.post(at(payment, "approve"), again, follow=True))
    assert "You gave the first approval. A senior reviewer must give the second." in shown
    assert Event.objects.count() == 3


def test_form_sent_twice_with_a_different_note_is_refused() -> None:
    (payment,) = waiting()
    logged_in = browser()
    sent = form(logged_in, payment, "reject")
    logged_in.post(at(payment, "reject"), sent)

    shown = text(logged_in.post(at(payment, "reject"), sent | {"note": "Odd."}, follow=True))

    assert "You already sent this form with a different note." in shown


def test_cancelling_requires_permission() -> None:
    (payment,) = waiting()
    shown = do(browser(), payment, "cancel", reason="duplicate")
    assert "Cancelled. Lists update within a few seconds." in shown
    assert browser("analyst", "ann").get(at(payment, "cancel")).status_code == 403


def test_partial_refunds_end_at_the_full_amount() -> None:
    payment, grace = paid(), browser()
    page = grace.get(at(payment, "refund")).content.decode()
    assert 'value="19.99"' in page
    assert "Amount in EUR" in page
    shown = do(grace, payment, "refund", amount="5", reason="requested_by_customer")
    assert "Refunded. €14.99 can still be refunded." in shown
    assert "Refunded €5.00 of €19.99. €14.99 can still be refunded." in shown
    page = text(grace.get(at(payment, "refund")))
    assert "You refunded €5.00 a moment ago" in page
    assert "Refunded so far: €5.00 of €19.99. €14.99 can still be refunded." in page
    shown = do(grace, payment, "refund", amount="14.99")
    assert "Refunded in full." in shown
    assert buttons(grace, payment) == []
    assert "There is nothing to refund" in text(grace.get(at(payment, "refund"), follow=True))


def amount_shown(answer: Any) -> str | None:
    """Return the amount that the form suggests."""
    (field,) = re.findall(r'<input[^>]*name="amount"[^>]*>', answer.content.decode())
    assert "inputmode" not in field  # with it, a phone offers only its own decimal separator
    value = re.search(r'value="([^"]*)"', field)
    return value[1] if value else None


def test_refund_amount_is_empty_after_a_first_refund() -> None:
    """Regression: after the browser's Back, one click refunded the rest."""
    payment, grace = paid(), browser()
    assert amount_shown(grace.get(at(payment, "refund"))) == "19.99"
    do(grace, payment, "refund", amount="5")

    page = grace.get(at(payment, "refund"))

    assert amount_shown(page) is None
    assert "This field is required." in do(grace, payment, "refund", amount="")
    assert Event.objects.filter(event_type="payment.refunded").count() == 1


def test_refund_page_shows_earlier_refunds() -> None:
    payment = paid()
    do(browser(), payment, "refund", amount="5")

    page = text(browser("senior reviewer", "heidi").get(at(payment, "refund")))

    assert re.search(
        r"grace\S* refunded €5.00 a moment ago \(20\d\d-\d\d-\d\d \d\d:\d\d UTC\)", page
    )


def test_refund_amount_is_empty_if_two_people_had_to_approve() -> None:
    (payment,) = waiting(amount=FOUR_EYES["amount"])
    for name in ("grace", "heidi"):
        senior = browser("senior reviewer", name)
        do(senior, payment, "approve")

    page = senior.get(at(payment, "refund"))

    assert page.status_code == 200
    assert amount_shown(page) is None


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1000", "USD", 100_000),
        ("1000.00", "USD", 100_000),
        ("$1,000.00", "USD", 100_000),
        ("$ 1,000.00", "USD", 100_000),
        ("1,000.00", "USD", 100_000),
        ("USD 1,000.00", "USD", 100_000),
        ("1,000.00 USD", "USD", 100_000),
        (" $1000 ", "USD", 100_000),
        ("¥1,000", "JPY", 1_000),
        ("1,000", "JPY", 1_000),
        ("KWD\u00a01,000.000", "KWD", 1_000_000),
        ("1000.5", "KWD", 1_000_500),
        ("1000", "BGN", 100_000),
    ],
)
def test_refund_amount_accepts_the_format_of_pages(amount: str, currency: str, minor: int) -> None:
    assert amounts.parse(amount, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("amount", "currency", "accepted"),
    [
        ("1.000", "USD", "1234.56 or $1,234.56"),
        ("1.000", "JPY", "1234 or ¥1,234"),
        ("1,000", "USD", "1000 or 1,000.00"),
        ("1,000", "KWD", "1000 or 1,000.000"),
        ("1,000.00", "KWD", "1234.567 or KWD\u00a01,234.567"),
        ("1000,50", "USD", "1234.56 or $1,234.56"),
        ("1000.", "USD", "1234.56 or $1,234.56"),
        ("1.000,00", "USD", "1234.56 or $1,234.56"),
        ("10,00.00", "USD", "1234.56 or $1,234.56"),
        (",5", "USD", "1234.56 or $1,234.56"),
        ("$5", "CAD", "1234.56 or CA$1,234.56"),
        ("€5.00", "USD", "1234.56 or $1,234.56"),
        ("1 000.00", "USD", "1234.56 or $1,234.56"),
        ("(5.00)", "USD", "1234.56 or $1,234.56"),
        ("１２", "USD", "1234.56 or $1,234.56"),
        ("$$5", "USD", "1234.56 or $1,234.56"),
    ],
)
def test_refund_amount_in_other_formats_is_refused(
    amount: str, currency: str, accepted: str
) -> None:
    with pytest.raises(MoneyError) as caught:
        amounts.parse(amount, currency)
    assert str(caught.value).endswith(f"Write {accepted}.")
    assert amount in str(caught.value)


def test_double_click_refunds_once() -> None:
    payment, grace = paid(), browser()
    sent = form(grace, payment, "refund", amount="12.00")
    for _ in range(2):  # more than half, so that a second refund would be too large
        shown = text(grace.post(at(payment, "refund"), sent, follow=True))
        assert "Refunded. €7.99 can still be refunded." in shown
    assert Event.objects.filter(event_type="payment.refunded").count() == 1


@pytest.mark.parametrize(
    ("amount", "complaint"),
    [
        ("", "This field is required."),
        ("0", "Enter an amount over 0."),
        ("-5", "Enter an amount over 0."),
        ("20.00", "No more than €19.99 of this payment can be refunded"),
        ("1.999", "more than the 2 decimals of EUR"),
        ("1,50", "is not a decimal number"),
        ("1,500", "is ambiguous in EUR. Write 1500 or 1,500.00."),
        ("1e1", "is not a decimal number"),
        ("١٢", "is not a decimal number"),
        ("NaN", "is not a decimal number"),
        ("9" * 29, "at most 999999999999 minor units"),
        ("9" * 31, "at most 30 characters"),
        ("1\0", "Null characters are not allowed"),
        ("<script>alert(1)</script>", "is not a decimal number"),
    ],
)
def test_invalid_refund_amount_is_explained_and_refunds_nothing(
    amount: str, complaint: str
) -> None:
    payment, grace = paid(), browser()
    answer = grace.post(at(payment, "refund"), form(grace, payment, "refund", amount=amount))

    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["amount"]
    assert complaint in text(answer)
    assert "<script>alert" not in answer.content.decode()
    assert Event.objects.count() == 2
