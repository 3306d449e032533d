"""Responses to disputes over HTTP, and the limits for the numbers of responses and disputes."""

from typing import Any
from uuid import UUID

import pytest

from payments.application.bulk import dispatch_all
from payments.application.dispatch import CommandContext
from payments.customers.models import Note
from payments.domain.money import Money
from payments.domain.payment.codes import DisputeOutcome
from payments.domain.payment.disputing import MOST_DISPUTES, MOST_RESPONSES
from payments.events.models import Event
from tests.support.api import ApiClient, body_of
from tests.support.disputing import day, opening, responding
from tests.support.example_commands import close_dispute

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


@pytest.fixture
def paid(acme: ApiClient) -> str:
    """Return the address of a completed payment of EUR 19.99 with an open dispute."""
    address = str(acme.submit()["Location"])
    acme.post(f"{address}/disputes", opening())
    return address


def outcome(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, body_of(answer).get("code")


def test_repeated_response_under_another_key_appends_nothing(acme: ApiClient, paid: str) -> None:
    response = responding(note="Delivered to Zo\u00eb.")
    first = acme.post(f"{paid}/disputes/dp_1/respond", response)
    before = Event.objects.count()

    # The same text in other code points: both are stored in the same form.
    again = acme.post(
        f"{paid}/disputes/dp_1/respond", response | {"note": "Delivered to Zoe\u0308."}
    )

    assert (again.status_code, again.content) == (200, first.content)
    assert again["Idempotency-Replayed"] == "true"
    assert Event.objects.count() == before
    assert Note.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"note": "Not delivered."}, "note"),
        ({"note": None}, "note"),
        ({"evidence": ["cd" * 32]}, "evidence"),
    ],
)
def test_response_at_the_time_of_another_one_names_what_differs(
    acme: ApiClient, paid: str, changes: dict[str, Any], field: str
) -> None:
    acme.post(f"{paid}/disputes/dp_1/respond", responding(note="Delivered."))
    before = Event.objects.count()
    sent = {"note": "Delivered."} | changes

    answer = acme.post(f"{paid}/disputes/dp_1/respond", responding(**sent))

    assert outcome(answer) == (409, "dispute_contradicted")
    assert [error["field"] for error in body_of(answer)["errors"]] == [field]
    assert (Event.objects.count(), Note.objects.count()) == (before, 1)


def test_erased_note_is_not_stored_again_by_a_repetition(acme: ApiClient, paid: str) -> None:
    response = responding(note="Delivered to Ann Lee.")
    acme.post(f"{paid}/disputes/dp_1/respond", response)
    Note.objects.update(text="")

    answer = acme.post(f"{paid}/disputes/dp_1/respond", response)

    assert outcome(answer) == (409, "dispute_contradicted")
    assert [each.text for each in Note.objects.all()] == [""]


def test_earlier_response_is_kept_and_the_latest_counts(acme: ApiClient, paid: str) -> None:
    later = acme.post(f"{paid}/disputes/dp_1/respond", responding(responded_at=day(3)))

    earlier = acme.post(f"{paid}/disputes/dp_1/respond", responding(responded_at=day(2)))

    assert "Idempotency-Replayed" not in earlier
    assert body_of(earlier)["dispute"] == body_of(later)["dispute"]
    assert Event.objects.filter(event_type="payment.dispute_responded").count() == 2


def test_response_is_refused_if_the_dispute_has_the_most(acme: ApiClient, paid: str) -> None:
    times = [f"{day(1)[:10]}T10:{minute:02}:00Z" for minute in range(MOST_RESPONSES + 1)]

    *kept, excess = (
        acme.post(f"{paid}/disputes/dp_1/respond", responding(responded_at=each)) for each in times
    )

    assert {answer.status_code for answer in kept} == {200}
    assert outcome(excess) == (409, "too_many_responses")


def test_dispute_is_refused_if_the_payment_has_the_most(acme: ApiClient, paid: str) -> None:
    """Won disputes take no money, so the payment's amount does not limit their number."""
    payment = body_of(acme.get(paid))["id"]
    won = [
        close_dispute(
            payment_id=UUID(payment),
            client_id=acme.client_id,
            dispute_id=f"dp_won_{number}",
            outcome=DisputeOutcome.WON,
            lost_amount=Money(0, "EUR"),
        )
        for number in range(1, MOST_DISPUTES)
    ]
    dispatch_all(won, CommandContext(actor=f"client:{acme.client_id}"))
    before = Event.objects.count()

    answer = acme.post(f"{paid}/disputes", opening(1, dispute_id="dp_excess"))

    assert outcome(answer) == (409, "too_many_disputes")
    assert Event.objects.count() == before
