"""A decision records the signed log position of the evidence that its page showed."""

from typing import Any

import pytest

from payments.events.models import Event
from readmodels.models import Checkpoint
from tests.support.api import ApiClient, project
from tests.support.backoffice import browser, text
from tests.support.reviewing import at, form, paid, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def metadata(payment: str) -> Any:
    last = Event.objects.filter(aggregate_id=payment).order_by("-version").first()
    assert last is not None
    return last.metadata


def checkpoint() -> int:
    return Checkpoint.objects.get(name="payment_summary").position


def test_decision_records_the_position_of_its_page() -> None:
    (payment,) = waiting()
    logged_in = browser()
    sent = form(logged_in, payment, "approve")
    seen = checkpoint()
    ApiClient().submit()
    project()

    logged_in.post(at(payment, "approve"), sent)

    assert checkpoint() > seen
    assert metadata(payment)["seen_position"] == seen


@pytest.mark.parametrize("action", ["reject", "escalate", "cancel"])
def test_every_decision_records_the_position(action: str) -> None:
    (payment,) = waiting()
    logged_in = browser()
    given = {"reason": "second_opinion" if action == "escalate" else "other", "note": "Odd."}

    logged_in.post(at(payment, action), form(logged_in, payment, action, **given))

    assert metadata(payment)["seen_position"] == checkpoint()


def test_refund_records_the_position() -> None:
    payment = paid()
    project()
    logged_in = browser()

    logged_in.post(at(payment, "refund"), form(logged_in, payment, "refund", amount="1.00"))

    assert metadata(payment)["seen_position"] == checkpoint()


def test_position_of_empty_read_models_is_0() -> None:
    (payment,) = waiting()
    Checkpoint.objects.all().delete()
    logged_in = browser()

    logged_in.post(at(payment, "approve"), form(logged_in, payment, "approve"))

    assert metadata(payment)["seen_position"] == 0


@pytest.mark.parametrize("forgery", ["none", "another number", "another payment", "another person"])
def test_forged_position_is_refused(forgery: str) -> None:
    payment, other = waiting(2)
    logged_in = browser()
    sent = form(logged_in, payment, "approve", note="Called back.")
    match forgery:
        case "none":
            del sent["seen"]
        case "another number":
            about, _, rest = sent["seen"].rpartition("/")
            sent["seen"] = f"{about}/9{rest}"
        case "another payment":
            sent["seen"] = form(logged_in, other, "approve")["seen"]
        case "another person":
            sent["seen"] = form(browser("analyst", "ann"), payment, "approve")["seen"]
    before = Event.objects.count()

    answer = logged_in.post(at(payment, "approve"), sent)

    assert answer.status_code == 409
    assert "The form was incomplete." in text(answer)
    assert "Called back." in text(answer)
    assert Event.objects.count() == before


def test_actions_without_a_page_record_no_position() -> None:
    (payment,) = waiting()
    logged_in = browser()

    logged_in.post(at(payment, "claim"), form(logged_in, payment, "claim"))

    assert "seen_position" not in metadata(payment)
    assert "seen_position" not in metadata(paid())
