"""A senior reviewer hands over all payments that another reviewer has."""

import re
from typing import Any, Final

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as Browser
from django.urls import reverse

from payments import actors
from payments.domain.payment import commands
from payments.events.models import Event
from readmodels.admin.review import hand_over
from readmodels.queries import review_queue
from tests.support.api import project
from tests.support.backoffice import browser, text
from tests.support.reviewing import QUEUE, waiting
from tests.support.routing import act, assign, snooze, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

URL: Final = "/admin/reviews/hand-over/"


def shown(logged_in: Browser, reviewer: str) -> list[str]:
    answer: Any = logged_in.get(URL, {"reviewer": reviewer})
    return [str(each.payment_id) for each in answer.context["items"]]


def send(logged_in: Browser, reviewer: str, **given: Any) -> dict[str, Any]:
    """Return the fields that the page's form would send, and the `given` ones."""
    html = logged_in.get(URL, {"reviewer": reviewer}).content.decode()
    key = re.search(r'name="key" value="([^"]+)"', html)
    assert key
    chosen = re.findall(r'name="payment" value="([^"]+)"', html)
    return {"key": key[1], "payment": chosen, **given}


def outcomes(answer: Any) -> dict[str, str]:
    return {str(each.payment_id): each.outcome for each in answer.context["done"]}


def test_page_lists_what_the_reviewer_has() -> None:
    claimed, snoozed, assigned, _, theirs = waiting(5)
    ann, ben, grace = staff("ann"), staff("ben"), browser()
    me = actors.staff(get_user_model().objects.get(username="grace").pk)
    act(commands.ClaimReview, claimed, ann)
    snooze(snoozed, ann)
    assign(assigned, me, to=ann)
    act(commands.ClaimReview, theirs, ben)
    project()

    assert shown(grace, ann) == [claimed, snoozed, assigned]
    assert shown(grace, me) == []
    assert reverse("hand_over") in grace.get(QUEUE).content.decode()


def test_hand_over_assigns_each_payment_by_its_own_command() -> None:
    claimed, snoozed, decided, changed = waiting(4)
    ann, ben, grace = staff("ann"), staff("ben"), browser()
    for payment in (claimed, decided, changed):
        act(commands.ClaimReview, payment, ann)
    snooze(snoozed, ann)
    project()
    sent = send(grace, ann, to=ben, note="Ann is away.")
    act(commands.RejectPayment, decided, ann, reason="other")
    act(commands.ClaimReview, changed, ann)

    answer = grace.post(f"{URL}?reviewer={ann}", sent)

    done = outcomes(answer)
    assert (done[claimed], done[snoozed]) == ("Assigned", "Assigned")
    assert done[decided].startswith("This payment was rejected by ann")
    assert done[changed] == "Changed in the meantime. Nothing was done."
    assert "2 of 4 assigned to ben" in text(answer)
    project()
    rows = review_queue.pending().filter(assigned_to=ben)
    assert {str(row.pk) for row in rows} == {claimed, snoozed}
    assert {row.claimed_by for row in rows} == {""}
    events = Event.objects.filter(event_type="payment.review_assigned")
    assert len({event.metadata["correlation_id"] for event in events}) == 1


def test_second_click_assigns_nothing_twice() -> None:
    (payment,) = waiting()
    ann, ben, grace = staff("ann"), staff("ben"), browser()
    act(commands.ClaimReview, payment, ann)
    project()
    sent = send(grace, ann, to=ben)

    answers = [grace.post(f"{URL}?reviewer={ann}", sent) for _ in range(2)]

    assert [outcomes(each) for each in answers] == [{payment: "Assigned"}] * 2
    assert Event.objects.filter(event_type="payment.review_assigned").count() == 1


@pytest.mark.parametrize("account", ["is_active", "is_staff"])
def test_payments_of_those_who_left_can_be_handed_over(account: str) -> None:
    (payment,) = waiting()
    ann, ben, grace = staff("ann"), staff("ben"), browser()
    act(commands.ClaimReview, payment, ann)
    get_user_model().objects.filter(username="ann").update(**{account: False})
    project()

    assert "ann (not a reviewer)" in text(grace.get(URL))
    answer = grace.post(f"{URL}?reviewer={ann}", send(grace, ann, to=ben))

    assert outcomes(answer) == {payment: "Assigned"}


def test_list_ends_after_fifty_payments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_over, "MOST", 2)
    payments = waiting(3)
    ann, grace = staff("ann"), browser()
    for payment in payments:
        act(commands.ClaimReview, payment, ann)
    project()

    assert shown(grace, ann) == payments[:2]
    assert "These are the 2 most urgent payments." in text(grace.get(URL, {"reviewer": ann}))


@pytest.mark.parametrize(
    "given", [{"payment": []}, {"payment": ["x", "1:2", f"{'0' * 32}:1"]}, {"to": "staff:0"}]
)
def test_wrong_fields_assign_nothing(given: dict[str, Any]) -> None:
    (payment,) = waiting()
    ann, ben, grace = staff("ann"), staff("ben"), browser()
    act(commands.ClaimReview, payment, ann)
    project()

    answer = grace.post(f"{URL}?reviewer={ann}", send(grace, ann, **({"to": ben} | given)))

    assert answer.status_code == 200
    assert not Event.objects.filter(event_type="payment.review_assigned").exists()


@pytest.mark.parametrize("role", ["viewer", "analyst", "risk manager", "auditor"])
def test_hand_over_needs_a_senior_reviewer(role: str) -> None:
    other = browser(role, "other")

    assert other.get(URL).status_code == 403
    assert other.post(URL, {}).status_code == 403
    assert reverse("hand_over") not in other.get(QUEUE).content.decode()
