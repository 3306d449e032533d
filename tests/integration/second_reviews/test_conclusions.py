"""Conclusions of second reviews: who may give them, races, and the erasure of their notes."""

from uuid import uuid4

import pytest

from payments import permissions
from payments.customers.models import Note, StaffMention
from payments.domain.payment.codes import ApprovalReason
from payments.domain.second_review import SecondReviewDone, UnknownSecondReview
from payments.domain.text import TextError
from readmodels.models import SecondReview
from tests.support.api import FOUR_EYES, ApiClient, body_of, project
from tests.support.concurrency import at_once
from tests.support.erasing import REFERENCE, ada as customer, plant, run
from tests.support.reviewing import waiting
from tests.support.routing import staff
from tests.support.second_reviews import approve, approved, conclude, events, request_all

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("all_chosen"),
]


def test_conclusion_is_recorded_without_an_effect_on_the_payment() -> None:
    _, review = approved(staff("ben"))
    ada = staff("sue", "senior reviewer")

    concluded = conclude(review, ada, note="Another device.")
    project()

    assert concluded.conclusion is not None
    assert not concluded.conclusion.agrees
    row = SecondReview.objects.get()
    assert (row.approved, row.second_approved, row.concluded_by) == (True, False, ada)
    assert [each.event_type for each in events()][1:] == ["second_review.concluded"]


def test_nobody_who_decided_concludes_after_two_approvals() -> None:
    ben, cleo = staff("ben", "senior reviewer"), staff("cleo", "senior reviewer")
    (payment,) = waiting(**FOUR_EYES)
    approve(payment, ben)
    approve(payment, cleo)
    (requested,) = events()

    for reviewer in (ben, cleo):
        with pytest.raises(UnknownSecondReview):
            conclude(requested.aggregate_id, reviewer, note="Mine.")

    assert len(events()) == 1
    assert not Note.objects.filter(text="Mine.").exists()
    conclude(requested.aggregate_id, staff("dora", "senior reviewer"))


def test_reviewer_who_is_not_senior_is_refused() -> None:
    _, review = approved(staff("ben"))

    with pytest.raises(permissions.NotPermitted):
        conclude(review, staff("cleo"))


def test_one_of_two_conclusions_at_once_is_recorded() -> None:
    _, review = approved(staff("ben"))
    people = [staff(name, "senior reviewer") for name in ("sue", "cleo")]

    def work(number: int) -> str:
        try:
            conclude(review, people[number], note=f"Note {number}")
        except SecondReviewDone as refused:
            return refused.by
        return "concluded"

    outcomes = at_once(2, work)

    assert min(outcomes) == "concluded"
    winner = people[outcomes.index("concluded")]
    assert set(outcomes) == {"concluded", winner}
    assert [each.event_type for each in events()].count("second_review.concluded") == 1
    assert Note.objects.filter(text__startswith="Note ").count() == 1


def test_wrong_note_is_refused_and_nothing_is_stored() -> None:
    _, review = approved(staff("ben"))

    with pytest.raises(TextError):
        conclude(review, staff("sue", "senior reviewer"), note="Card 4242 4242 4242 4242")

    assert len(events()) == 1


def test_unknown_second_review_is_refused_without_a_stored_note() -> None:
    with pytest.raises(UnknownSecondReview):
        conclude(uuid4(), staff("sue", "senior reviewer"), note="About nothing.")

    assert not Note.objects.exists()


def test_note_notifies_nobody_whom_it_mentions() -> None:
    _, review = approved(staff("ben"))

    conclude(review, staff("sue", "senior reviewer"), note="@ben missed it.")

    assert not StaffMention.objects.exists()


def test_note_is_erased_with_the_customer() -> None:
    _, review = approved(staff("ben"), customer_id=REFERENCE)
    plant(customer())
    conclude(review, staff("cleo", "senior reviewer"), note="He called back.")

    run()

    assert not Note.objects.filter(text="He called back.").exists()
    (_, concluded) = events()
    assert concluded.data["note"]["digest"]


def test_decision_by_the_api_is_chosen_too() -> None:
    acme = ApiClient(staff="ben")
    payment = body_of(acme.submit(amount=15_000_00, currency="USD"))["id"]

    acme.post(f"/api/v1/payments/{payment}/approve", {"reason": "known_customer"}, key="a")
    acme.post(f"/api/v1/payments/{payment}/approve", {"reason": "known_customer"}, key="a")
    request_all()

    (requested,) = events()
    assert requested.data["decisions"][0]["reason"] == ApprovalReason.KNOWN_CUSTOMER
