"""The pages of second reviews: queue, form, and the verdicts side by side."""

from typing import Any, Final
from uuid import UUID

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from payments.application import note_taking
from payments.application.dispatch import CommandContext
from readmodels.models import SecondReview
from tests.support.api import project
from tests.support.backoffice import browser, text
from tests.support.examples import NOON
from tests.support.reviewing import waiting
from tests.support.routing import staff
from tests.support.second_reviews import (
    APPROVAL_NOTE,
    actor_of,
    approve,
    approved,
    conclude,
    events,
)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("all_chosen"),
]

VERDICT: Final = {"verdict": "reject-suspected_fraud", "severity": "critical", "note": "A mule."}


def _form(review: UUID) -> str:
    return reverse("admin:second_review_conclude", args=[review])


def _page(review: UUID) -> str:
    return reverse("admin:readmodels_secondreview_change", args=[review])


def _note(payment: str, by: str, note: str) -> None:
    note_taking.add(UUID(payment), note, CommandContext(actor=by), at=timezone.now())


def _rows(logged_in: Browser, name: str) -> list[UUID]:
    listing: Any = logged_in.get(reverse(name)).context["cl"]
    return [row.pk for row in listing.result_list]


def test_queue_has_the_open_second_reviews_of_others_the_longest_waiting_first() -> None:
    ada = browser("senior reviewer", "ada")
    ben = staff("ben")
    first, second, third = (approved(ben)[1] for _ in range(3))
    approved(actor_of(ada))
    conclude(second, staff("cleo", "senior reviewer"))
    project()

    assert _rows(ada, "second_reviews") == [first, third]
    assert _rows(ada, "admin:readmodels_secondreview_changelist") == [second]


def test_verdict_is_recorded_and_all_verdicts_are_shown_side_by_side() -> None:
    ada = browser("senior reviewer", "ada")
    _, review = approved(staff("ben"))

    answer = ada.post(_form(review), VERDICT, follow=True)

    shown = text(answer)
    assert "Second review concluded." in shown
    first, second = shown.partition("Decision Verdict")[2].split("Second review Verdict")
    assert first.startswith(" Approve Reason Verified with customer By ben")
    assert second.startswith(
        " Reject Reason Suspected fraud Severity of the opposite Critical By ada"
    )
    assert (APPROVAL_NOTE in first, "A mule." in second) == (True, True)
    project()
    listed = text(ada.get(reverse("admin:readmodels_secondreview_changelist")))
    assert "Approve Reject No Critical ben ada" in listed


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"verdict": ""}, "Choose a verdict with its reason."),
        ({"severity": ""}, "Choose how severe the opposite decision would be."),
        ({"verdict": "reject-other", "note": " "}, "Describe the reason in the note"),
        ({"note": "4242 4242 4242 4242"}, "card number"),
        ({"note": "x" * 2_001}, "2000"),
    ],
)
def test_wrong_form_names_the_field_and_records_nothing(
    changes: dict[str, str], problem: str
) -> None:
    ada = browser("senior reviewer", "ada")
    _, review = approved(staff("ben"))

    answer = ada.post(_form(review), VERDICT | changes)

    assert problem in text(answer)
    assert len(events()) == 1


def test_second_form_about_a_concluded_review_is_refused_by_name() -> None:
    ada, cleo = browser("senior reviewer", "ada"), browser("senior reviewer", "cleo")
    _, review = approved(staff("ben"))
    ada.post(_form(review), VERDICT)

    again = ada.post(_form(review), VERDICT, follow=True)
    other = cleo.post(_form(review), VERDICT | {"note": "Late."}, follow=True)

    assert "You have concluded this second review already." in text(again)
    assert "ada has concluded this second review already." in text(other)
    assert len(events()) == 2


def test_notes_from_before_the_decision_are_evidence() -> None:
    ada = browser("senior reviewer", "ada")
    ben = staff("ben")
    (payment,) = waiting()
    _note(payment, ben, "The address is a warehouse.")
    approve(payment, ben)
    _note(payment, ben, "I was right.")
    (requested,) = events()

    shown = text(ada.get(_form(requested.aggregate_id)))

    assert "The address is a warehouse." in shown
    assert "I was right." not in shown


def test_earlier_payment_that_changed_after_the_decision_shows_no_status() -> None:
    ada = browser("senior reviewer", "ada")
    ben = staff("ben")
    (earlier,) = waiting(customer_id="stone", reference="first")
    (payment,) = waiting(customer_id="stone", reference="second")
    approve(payment, ben)
    (requested,) = events()
    before = text(ada.get(_form(requested.aggregate_id)))
    approve(earlier, ben)
    project()

    after = text(ada.get(_form(requested.aggregate_id)))

    assert "Pending review" in before
    assert "changed since" in after
    assert "Pending review" not in after


def test_auditor_sees_an_open_review_without_form_and_verdicts() -> None:
    _, review = approved(staff("ben"))

    shown = text(browser("auditor").get(_page(review)))

    assert "Nobody has concluded this second review." in shown
    assert "Conclude" not in shown.replace("Concluded", "")
    assert APPROVAL_NOTE not in shown


@pytest.mark.parametrize("review", ["x", "0192f000-0000-8000-8000-00000000b001"])
def test_unknown_second_review_is_not_found(review: str) -> None:
    ada = browser("senior reviewer", "ada")

    assert ada.get(f"/admin/readmodels/secondreview/{review}/change/").status_code == 404


def test_list_takes_a_bounded_number_of_queries(django_assert_max_num_queries: Any) -> None:
    ada = browser("senior reviewer", "ada")
    ben = staff("ben")
    review = approved(ben)[1]
    approved(ben)
    ada.get(reverse("second_reviews"))

    with django_assert_max_num_queries(10):
        ada.get(reverse("second_reviews"))
    with django_assert_max_num_queries(20):
        ada.get(_form(review))


def test_pages_continue_after_their_last_row() -> None:
    ada = browser("senior reviewer", "ada")
    SecondReview.objects.bulk_create(
        SecondReview(
            pk=UUID(int=number),
            payment_id=UUID(int=number),
            amount=1,
            currency="USD",
            reviewer="staff:0",
            approved=True,
            reason="other",
            decided_at=NOON,
            requested_at=NOON,
            position=number,
        )
        for number in range(60)
    )

    page: Any = ada.get(reverse("second_reviews")).context["cl"]
    following: Any = ada.get(reverse("second_reviews") + page.next_url).context["cl"]

    assert len(page.result_list) == 50
    assert [row.pk.int for row in following.result_list] == list(range(50, 60))
