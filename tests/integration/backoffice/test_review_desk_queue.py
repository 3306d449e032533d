"""The review queue: order, filters, cost, and "Claim next"."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments import actors
from payments.application import review
from payments.application.dispatch import CommandContext
from payments.application.review import QueueLags
from payments.domain.payment.commands import ResumeReview
from payments.events.models import Event
from readmodels.admin.base.browsing import PAGE
from readmodels.models import PaymentSummary
from tests.support import routing
from tests.support.api import FOUR_EYES, project
from tests.support.backoffice import browser, text
from tests.support.concurrency import at_once
from tests.support.reviewing import NEXT, QUEUE, do, next_key, paid, payment_page, rows, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def from_queue(payment: str) -> str:
    """Return the address of a payment that leads back to the queue."""
    return f"{payment_page(payment)}?from=queue"


def test_claim_next_claims_the_most_urgent_payment_once() -> None:
    payments = waiting(3)
    grace = browser()
    sent = next_key(grace)
    for _ in range(2):
        answer = grace.post(NEXT, sent)
        assert answer.headers["Location"] == from_queue(payments[0])
    project()
    do(grace, payments[0], "approve")
    project()
    answer = grace.post(NEXT, next_key(grace, payment_page(payments[1])), follow=True)
    assert answer.redirect_chain[-1][0] == from_queue(payments[1])
    assert "Yours until" in text(answer)
    assert Event.objects.filter(event_type="payment.review_claimed").count() == 2
    # The page of the claimed payment does not offer another claim.
    assert "Claim next" not in text(grace.get(payment_page(payments[1])))


@pytest.mark.parametrize("times_projected", [0, 1])
def test_claim_next_returns_the_held_undecided_payment(
    times_projected: int,
) -> None:
    payments = waiting(3)
    grace = browser()
    grace.post(NEXT, next_key(grace))
    for _each in range(3):
        for _ in range(times_projected):
            project()
        answer = grace.post(NEXT, next_key(grace), follow=True)
        assert answer.redirect_chain[-1][0] == from_queue(payments[0])
        assert "You still hold this payment until" in text(answer)
    assert Event.objects.filter(event_type="payment.review_claimed").count() == 1
    do(grace, payments[0], "release")
    answer = grace.post(NEXT, next_key(grace), follow=True)
    assert "Yours until" in text(answer)


def test_concurrent_claim_next_of_one_person_claims_one_payment() -> None:
    waiting(8)
    browser()
    grace = actors.staff(get_user_model().objects.get(username="grace").pk)

    def ask(number: int) -> UUID | None:
        request = CommandContext(actor=grace, key=f"tab-{number}")
        outcome = review.claim_next(client_id=None, at=timezone.now(), context=request, most_held=1)
        return None if outcome is None else outcome.payment.payment_id

    assert len(set(at_once(8, ask))) == 1
    assert Event.objects.filter(event_type="payment.review_claimed").count() == 1


def test_reviews_held_limits_claim_next(settings: Any) -> None:
    settings.REVIEWS_HELD = 2
    payments = waiting(3)
    grace = browser()

    shown = [grace.post(NEXT, next_key(grace)).headers["Location"] for _ in range(3)]

    assert shown == [
        from_queue(payments[0]),
        from_queue(payments[1]),
        from_queue(payments[0]),
    ]


def test_reviews_held_does_not_limit_claims_by_id() -> None:
    payments = waiting(3)
    grace = browser()
    grace.post(NEXT, next_key(grace))
    assert "Yours until" in do(grace, payments[2], "claim")
    project()
    answer = grace.post(NEXT, next_key(grace))
    assert answer.headers["Location"] == from_queue(payments[0])


def test_claim_next_of_two_people_claims_two_payments() -> None:
    payments = waiting(2)
    people = [browser("analyst", "ann"), browser("analyst", "ben")]
    sent = [next_key(each) for each in people]

    def ask(number: int) -> str:
        return str(people[number].post(NEXT, sent[number]).headers["Location"])

    assert sorted(at_once(2, ask)) == sorted(map(from_queue, payments))


def test_claim_next_without_a_claimable_payment_says_so() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    do(ann, payment, "claim")
    project()

    answer = ben.post(NEXT, next_key(ben), follow=True)

    assert answer.redirect_chain[-1][0] == QUEUE
    assert "There is nothing left that you can decide." in text(answer)
    assert "This button is out of date." in text(ben.post(NEXT, {}, follow=True))
    assert ben.get(NEXT).status_code == 405


def test_claim_next_on_a_lagging_queue_asks_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def lag(**_: Any) -> None:
        raise QueueLags

    waiting()
    grace = browser()
    sent = next_key(grace)
    monkeypatch.setattr(review, "claim_next", lag)
    assert "Try again in a moment." in text(grace.post(NEXT, sent, follow=True))


def test_queue_is_ordered_by_deadline_and_paged() -> None:
    paid()
    payments = waiting(PAGE + 3)
    logged_in = browser()
    answer = logged_in.get(QUEUE)
    listing: Any = answer.context["cl"]
    assert [str(row.pk) for row in listing.result_list] == payments[:PAGE]
    assert "Less urgent" in text(answer)
    assert listing.previous_url is None
    listing = logged_in.get(QUEUE + listing.next_url).context["cl"]
    assert [str(row.pk) for row in listing.result_list] == payments[PAGE:]
    assert rows(logged_in, listing.previous_url) == payments[:PAGE]
    assert rows(logged_in, "?after=x") == payments[:PAGE]


def test_queue_filters_by_standing() -> None:
    free, mine, theirs, escalated = waiting(4)
    (second,) = waiting(amount=FOUR_EYES["amount"])
    grace, ann = browser(), browser("analyst", "ann")
    do(grace, mine, "claim")
    do(ann, theirs, "claim")
    do(ann, escalated, "escalate", note="Odd.")
    do(ann, second, "approve")
    project()
    for query, found in {
        "": [free, mine, theirs, escalated, second],
        "?standing=free": [free, escalated, second],
        "?standing=mine": [mine],
        "?standing=escalated": [escalated],
        "?standing=second": [second],
        "?standing=nonsense": [],
        "?risk_band__exact=low": [],
        "?currency=usd&four_eyes__exact=1": [second],
        f"?q={free}": [free],
        f"?q={uuid4()}": [],
    }.items():
        assert rows(grace, query) == found, query
    shown = text(grace.get(QUEUE))
    assert all(
        expected in shown for expected in ("Escalated", "Second approval", "ann", "6 days left")
    )
    # An expired claim counts as unclaimed.
    past = timezone.now() - timedelta(seconds=1)
    PaymentSummary.objects.filter(pk=theirs).update(claimed_until=past, review_deadline=past)
    assert rows(grace, "?standing=free") == [theirs, free, escalated, second]
    assert "overdue" in text(grace.get(QUEUE))


def test_queue_hides_snoozed_payments_and_shows_whom_the_others_are_with() -> None:
    snoozed, assigned, returned, free = waiting(4)
    grace = browser()
    me = actors.staff(get_user_model().objects.get(username="grace").pk)
    routing.assign(assigned, me, to=me)
    routing.snooze(snoozed, me)
    routing.snooze(returned, me)
    routing.act(ResumeReview, returned, me)
    project()

    found_by_default = [assigned, returned, free]
    for query, found in {
        "": found_by_default,
        "?standing=free": [assigned, returned, free],
        "?standing=assigned": [assigned],
        "?standing=snoozed": [snoozed],
    }.items():
        assert rows(grace, query) == found, query

    dashboard = grace.get("/admin/").context
    assert dashboard["waiting_count"] == "3"
    assert [str(each["id"]) for each in dashboard["waiting"]] == found_by_default
    shown = text(grace.get(QUEUE))
    assert "grace assigned" in shown
    assert "Returned" in shown
    assert "Waiting for customer" in text(grace.get(f"{QUEUE}?standing=snoozed"))


def test_empty_queue_says_so() -> None:
    assert "The queue is empty" in text(browser().get(QUEUE))
    assert "Show the whole queue" in text(browser(username="other").get(f"{QUEUE}?standing=mine"))


def test_queue_requires_a_role() -> None:
    assert Browser().get(QUEUE).status_code == 302
    stranger = Browser()
    stranger.force_login(get_user_model().objects.create(username="eve", is_staff=True))
    assert stranger.get(QUEUE).status_code == 403
    assert stranger.post(NEXT, {"key": str(uuid4())}).status_code == 403


def test_queue_runs_a_constant_number_of_queries_by_index() -> None:
    waiting()
    logged_in = browser()
    logged_in.get(QUEUE)
    with CaptureQueriesContext(connection) as one:
        logged_in.get(QUEUE)
    waiting(12)
    with CaptureQueriesContext(connection) as many:
        logged_in.get(QUEUE)
    statements = [query["sql"] for query in many.captured_queries]
    assert len(statements) == len(one)
    assert not [sql for sql in statements if "COUNT(" in sql and "LIMIT" not in sql]
    assert not [sql for sql in statements if "OFFSET" in sql]
    (page,) = [sql for sql in statements if f"LIMIT {PAGE + 1}" in sql]
    # The table is small, so other plans are switched off. Without the index, a sort would remain.
    with transaction.atomic(), connection.cursor() as cursor:
        for way in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute(f"EXPLAIN {page}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "payment_by_deadline" in plan
    assert "Sort" not in plan
