"""A decision's form shows when the claim ends, and extends it without losing typed text."""

import re
from typing import Any

import pytest
from django.test import Client as Browser

from payments.events.models import Event
from tests.support.backoffice import browser, text
from tests.support.forms import form_fields
from tests.support.reviewing import at, do, form, paid, payment_page, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NOTE = "Called back.\nAll <fine>."
TYPED = {"note": NOTE, "reason": "other"}


def extend(logged_in: Browser, payment: str, action: str = "approve", **more: str) -> Any:
    sent = form(logged_in, payment, action, **TYPED)
    return logged_in.post(at(payment, action), sent | {"claim": "1"} | more)


def claims() -> int:
    return Event.objects.filter(event_type="payment.review_claimed").count()


@pytest.mark.parametrize("action", ["approve", "reject", "escalate"])
def test_form_extends_the_claim_and_keeps_what_was_typed(action: str) -> None:
    (payment,) = waiting()
    ben = browser("analyst", "ben")
    do(ben, payment, "claim")

    answer = extend(ben, payment, action)

    assert answer.status_code == 200
    assert "Yours until" in text(answer)
    assert claims() == 2
    assert Event.objects.count() == 4, "nothing was decided"
    again = form_fields(answer)
    assert (again["note"].strip(), again["reason"]) == (NOTE, "other")
    done = {"approve": "Approved.", "reject": "Rejected.", "escalate": "Escalated."}[action]
    assert done in text(ben.post(at(payment, action), again, follow=True))


def test_form_claims_a_free_payment() -> None:
    (payment,) = waiting()
    ben = browser("analyst", "ben")
    assert "Not claimed: other reviewers can decide too." in text(ben.get(at(payment, "approve")))

    answer = extend(ben, payment)

    assert claims() == 1
    assert "Your claim ends at" in text(answer)


def test_claim_of_another_is_refused_and_keeps_what_was_typed() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    sent = form(ben, payment, "approve", **TYPED)
    do(ann, payment, "claim")

    answer = ben.post(at(payment, "approve"), sent | {"claim": "1"})

    assert answer.status_code == 409
    assert "ann has claimed this payment until" in text(answer)
    assert form_fields(answer)["note"].strip() == NOTE
    assert claims() == 1


def test_double_click_extends_once() -> None:
    (payment,) = waiting()
    ben = browser("analyst", "ben")
    sent = form(ben, payment, "approve", **TYPED) | {"claim": "1"}

    for _ in range(2):
        ben.post(at(payment, "approve"), sent)

    assert claims() == 1


def test_decision_made_elsewhere_is_shown_when_the_claim_is_extended() -> None:
    (payment,) = waiting()
    hal, ben = browser(username="hal"), browser("analyst", "ben")
    sent = form(ben, payment, "approve", **TYPED)
    do(hal, payment, "reject")

    answer = ben.post(at(payment, "approve"), sent | {"claim": "1"})

    assert "This payment was rejected by hal" in text(answer)
    assert form_fields(answer)["note"].strip() == NOTE


def test_enter_key_decides_instead_of_extending_the_claim() -> None:
    """Browsers press the first button of a form when Enter is pressed in a field."""
    (payment,) = waiting()
    ben = browser("analyst", "ben")
    do(ben, payment, "claim")

    page = ben.get(at(payment, "approve")).content.decode()

    sent = page[page.index('name="seen"') :].partition("</form>")[0]
    names = re.findall(r'<button type="submit"([^>]*)', sent)
    assert ["claim" in each for each in names] == [False, True]


def test_form_of_a_refund_offers_no_claim() -> None:
    page = text(browser().get(at(paid(), "refund")))

    assert "Refund" in page
    assert "claim" not in page.lower()


def test_viewer_cannot_claim_by_the_form() -> None:
    (payment,) = waiting()
    vic = browser("viewer", "vic")

    assert vic.post(at(payment, "approve"), TYPED | {"claim": "1"}).status_code == 403
    assert claims() == 0


def test_pages_show_the_rest_of_the_own_claim_only() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    do(ann, payment, "claim")

    for address in (payment_page(payment), at(payment, "approve")):
        found = re.search(r'data-claim-seconds="(\d+)"', ann.get(address).content.decode())
        assert found, address
        assert 800 < int(found[1]) <= 900
    assert "data-claim-seconds" not in ben.get(payment_page(payment)).content.decode()
