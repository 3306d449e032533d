"""Confirming a bulk action: races, repetitions, tokens, failures, and outcomes by payment."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.core import signing
from django.db import connection
from django.urls import reverse

from payments.customers.models import Note
from payments.domain.payment import commands
from payments.events.models import Event
from readmodels.admin.review import actions
from readmodels.admin.review.bulk import selection
from tests.support.api import project
from tests.support.backoffice import browser, text
from tests.support.bulk import (
    CONFIRM,
    OUTCOME,
    actor,
    block,
    confirm,
    done,
    events,
    filled,
    missing,
    preview,
)
from tests.support.concurrency import at_once, session, until_blocked
from tests.support.raw_appends import insert
from tests.support.reviewing import QUEUE, do, waiting
from tests.support.routing import act, assign, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CHANGED = "Changed after the preview. Nothing was done."
NOT_DONE = "Not done yet. Preview it again to finish."
APPROVED = "payment.approved"


def test_bulk_approval_decides_what_is_unchanged_and_explains_the_rest() -> None:
    payments = waiting(50)
    rejected, claimed, escalated, assigned, cancelled, released, noted, *_ = payments
    ann, ben, hal, grace = staff("ann"), staff("ben"), browser(username="hal"), browser()
    shown = preview(grace, "approve", payments)
    do(hal, rejected, "reject")
    act(commands.ClaimReview, claimed, ann)
    do(hal, escalated, "escalate", note="Odd.")
    assign(assigned, actor("hal"), to=ann)
    do(hal, cancelled, "cancel")
    act(commands.ClaimReview, released, ben)
    act(commands.ReleaseReview, released, ben)
    hal.post(
        reverse("admin:payment_note", args=[noted]),
        {"note": "Called.", "key": "0" * 32},
    )

    answer = confirm(grace, filled(shown, note="Same shop, checked."))

    assert len(done(answer)) == 45
    assert {released, noted} <= set(done(answer))
    why = missing(answer)
    assert why.pop(rejected).startswith("This payment was rejected by hal")
    assert why.pop(claimed).startswith("ann has claimed this payment until")
    assert why.pop(cancelled) == "This payment is cancelled and needs no decision."
    assert why == {escalated: CHANGED, assigned: CHANGED}
    assert "45 of 50 approved. 5 are not." in text(answer)
    assert len(events(APPROVED)) == 45
    assert Note.objects.filter(text="Same shop, checked.").count() == 45


def test_events_of_a_bulk_action_are_found_by_its_correlation_id() -> None:
    payments = waiting(3)
    grace = browser()

    answer = confirm(grace, filled(preview(grace, "approve", payments)))
    project()
    listed: Any = grace.get(answer.context["events_url"])

    of_bulk = [event for event in Event.objects.all() if _correlation(event).startswith("bulk:")]
    assert len({_correlation(event) for event in of_bulk}) == 1
    assert {event.metadata["actor"] for event in of_bulk} == {actor()}
    assert all(event.metadata["seen_position"] > 0 for event in of_bulk)
    found = {row.position for row in listed.context["cl"].result_list}
    assert found == {event.position for event in of_bulk}
    assert len(found) == 6


def _correlation(event: Event) -> str:
    return str(event.metadata.get("correlation_id", ""))


@pytest.mark.parametrize(
    ("action", "given", "event_type", "outcome"),
    [
        ("reject", {"reason": "suspected_fraud"}, "payment.rejected", "Rejected"),
        ("escalate", {"note": "Odd."}, "payment.review_escalated", "Escalated"),
        ("claim", {}, "payment.review_claimed", "Claimed until"),
        ("release", {}, "payment.review_released", "Released"),
        ("assign", {"to": "ben"}, "payment.review_assigned", "Assigned to ben"),
        ("assign", {"to": "nobody"}, "payment.review_assigned", "No longer assigned"),
    ],
)
def test_each_action_is_carried_out_for_all_payments(
    action: str, given: dict[str, str], event_type: str, outcome: str
) -> None:
    payments = waiting(2)
    ben, grace = staff("ben"), browser()
    for payment in payments:
        if action == "release":
            act(commands.ClaimReview, payment, actor())
        if given.get("to") == "nobody":
            assign(payment, actor(), to=ben)
    sent = filled(preview(grace, action, payments), **given)
    before = len(events(event_type))

    answers = [
        confirm(grace, sent | ({"to": ben} if given.get("to") == "ben" else {})) for _ in range(2)
    ]

    assert len(events(event_type)) == before + 2
    for answer in answers:
        assert sorted(done(answer)) == sorted(payments)
        assert missing(answer) == {}
        assert outcome in text(answer)


def test_second_submit_decides_nothing_twice_and_shows_the_same_outcome() -> None:
    payments = waiting(3)
    grace = browser()
    sent = filled(preview(grace, "approve", payments))
    do(browser(username="hal"), payments[0], "reject")

    answers = [confirm(grace, sent) for _ in range(2)]
    reloaded = grace.get(answers[1].redirect_chain[-1][0])

    assert len(events(APPROVED)) == 2
    first, *others = [(done(each), missing(each)) for each in [*answers, reloaded]]
    assert others == [first, first]


def test_concurrent_submits_decide_each_payment_once() -> None:
    payments = waiting(8)
    grace = browser()
    people = [grace, browser(username="other")]
    people[1].cookies = grace.cookies
    sent = filled(preview(grace, "approve", payments))

    answers = at_once(2, lambda number: confirm(people[number], sent))

    assert len(events(APPROVED)) == 8
    assert [sorted(done(each)) for each in answers] == [sorted(payments)] * 2


def test_payment_taken_over_after_the_preview_is_not_released() -> None:
    """A senior reviewer may release another reviewer's claim, but not in bulk."""
    taken_over, mine = payments = waiting(2)
    grace, hal = browser(), staff("hal", "senior reviewer")
    for payment in payments:
        act(commands.ClaimReview, payment, actor())
    sent = filled(preview(grace, "release", payments))
    act(commands.TakeOverReview, taken_over, hal, senior=True, holder=actor())

    answer = confirm(grace, sent)

    assert done(answer) == [mine]
    assert missing(answer)[taken_over].startswith("hal has claimed this payment until")


def test_payment_of_a_customer_blocked_after_the_preview_is_not_approved() -> None:
    (payment,) = waiting(customer_id="blocked")
    grace = browser()
    sent = filled(preview(grace, "approve", [payment]), note="For all of them.")
    block("blocked")

    answer = confirm(grace, sent)

    assert missing(answer)[payment].startswith("The customer is blocked.")
    assert events(APPROVED) == []


def test_second_submit_with_another_reason_is_named() -> None:
    payments = waiting(2)
    grace = browser()
    sent = filled(preview(grace, "reject", payments))
    confirm(grace, sent | {"reason": "suspected_fraud"})

    answer = confirm(grace, sent | {"reason": "other", "note": "Odd."})

    assert (
        "You already sent this form with other values."
        " For 2 of the payments, the earlier values apply." in text(answer)
    )
    assert {event.data["reason"] for event in events("payment.rejected")} == {"suspected_fraud"}
    assert not Note.objects.exists()


def test_expired_preview_is_shown_again_with_what_was_typed() -> None:
    payments = waiting(2)
    grace = browser()
    sent = filled(preview(grace, "reject", payments), note="Same card.")
    sent["token"] = _aged(sent["token"], timedelta(minutes=10, seconds=1))

    answer = confirm(grace, sent)

    assert answer.status_code == 409
    assert "This preview was older than 10 minutes." in text(answer)
    assert events("payment.rejected") == []
    again = filled(answer)
    assert again["note"] == "Same card."
    assert sorted(done(confirm(grace, again))) == sorted(payments)


def test_preview_is_valid_for_almost_ten_minutes() -> None:
    payments = waiting(2)
    grace = browser()
    sent = filled(preview(grace, "reject", payments))
    sent["token"] = _aged(sent["token"], timedelta(minutes=9))

    assert sorted(done(confirm(grace, sent))) == sorted(payments)


def _aged(token: str, age: timedelta) -> str:
    """Return the token as if it had been signed `age` ago."""

    class Earlier(signing.TimestampSigner):
        def timestamp(self) -> str:
            return signing.b62_encode(int(time.time() - age.total_seconds()))

    chosen = signing.loads(token, salt=selection.FORM)
    return Earlier(salt=selection.FORM).sign_object(chosen, compress=True)


def of_hal(token: str, payments: list[str]) -> str:
    return filled(preview(browser(username="hal"), "approve", payments))["token"]


def of_an_outcome(token: str, payments: list[str]) -> str:
    chosen = selection.read(token, actor(), salt=selection.FORM)
    return selection.signed(chosen, salt=selection.OUTCOME)


def altered(token: str, payments: list[str]) -> str:
    return f"x{token}"


def absent(token: str, payments: list[str]) -> str:
    return ""


@pytest.mark.parametrize("change", [of_hal, of_an_outcome, altered, absent])
def test_invalid_token_decides_nothing(change: Callable[[str, list[str]], str]) -> None:
    payments = waiting(2)
    grace = browser()
    sent = filled(preview(grace, "approve", payments))
    sent["token"] = change(sent["token"], payments)

    answer = confirm(grace, sent)

    assert answer.redirect_chain[0][0] == QUEUE
    assert "This selection is damaged, or another person made it." in text(answer)
    assert events(APPROVED) == []


def test_outcome_is_shown_to_its_person_only() -> None:
    (payment,) = waiting()
    grace = browser()
    sent = filled(preview(grace, "approve", [payment]))
    address = confirm(grace, sent).redirect_chain[-1][0]

    assert browser(username="hal").get(address).status_code == 404
    assert grace.get(f"{OUTCOME}?of={sent['token']}").status_code == 404


@pytest.mark.parametrize(
    ("action", "given", "problem"),
    [
        ("approve", {"reason": ""}, "This field is required."),
        ("reject", {"reason": "other"}, "Describe the reason in the note"),
        ("escalate", {"note": " "}, "Describe in the note what the senior reviewer should check."),
        ("approve", {"note": "4111 1111 1111 1111"}, "card number"),
        ("assign", {"to": ""}, "Choose a reviewer."),
        ("assign", {"to": "staff:0"}, "This person may not decide the payment."),
    ],
)
def test_wrong_field_shows_the_preview_again(
    action: str, given: dict[str, str], problem: str
) -> None:
    payments = waiting(2)
    grace, before = browser(), Event.objects.count()

    answer = confirm(grace, filled(preview(grace, action, payments)) | given)

    assert answer.status_code == 200
    assert problem in text(answer)
    assert len(answer.context["taken"]) == 2
    assert Event.objects.count() == before


def test_assignee_who_may_not_decide_is_named_for_each_payment() -> None:
    escalated, plain = waiting(2)
    ben, grace = staff("ben"), browser()
    do(grace, escalated, "escalate", note="Odd.")

    answer = confirm(grace, filled(preview(grace, "assign", [escalated, plain]), to=ben))

    assert done(answer) == [plain]
    assert missing(answer) == {
        escalated: "This payment is escalated. A senior reviewer must decide."
    }


def test_restored_form_is_previewed_again() -> None:
    (payment,) = waiting()
    grace = browser()
    sent = filled(preview(grace, "approve", [payment]), note="Called back.")

    answer = confirm(grace, sent | {"restore": "1"})

    assert "Your text was not sent." in text(answer)
    assert filled(answer)["note"] == "Called back."
    assert events(APPROVED) == []


def test_lost_right_to_review_ends_the_bulk_action() -> None:
    payments = waiting(2)
    grace = browser()
    sent = filled(preview(grace, "approve", payments))
    get_user_model().objects.get(username="grace").groups.clear()

    assert grace.post(CONFIRM, sent).status_code == 403
    assert events(APPROVED) == []


def test_repetition_finishes_what_a_lost_connection_has_left() -> None:
    payments = waiting(4)
    grace = browser()
    sent = filled(preview(grace, "approve", payments))
    pid = connection.connection.info.backend_pid

    with session() as other, ThreadPoolExecutor(1) as pool:
        with other.transaction(force_rollback=True):
            insert(other, UUID(payments[2]))
            cut = pool.submit(_terminate_when_blocked, pid)
            answer = grace.post(CONFIRM, sent)
            cut.result()
    half = grace.get(answer.headers["Location"])

    assert "Not all payments are done." in text(half)
    assert done(half) == payments[:2]
    assert missing(half) == dict.fromkeys(payments[2:], NOT_DONE)
    assert list(map(str, half.context["rest"])) == payments[2:]
    assert done(confirm(grace, sent)) == payments
    assert len(events(APPROVED)) == 4


def _terminate_when_blocked(pid: int) -> None:
    """End the connection with this pid as soon as it waits for another transaction."""
    until_blocked()
    with session() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])


def test_address_of_the_outcome_is_short_for_fifty_payments() -> None:
    chosen = selection.Selection(
        bulk_id=UUID(int=2**128 - 1),
        action_name=actions.APPROVE.name,
        actor="staff:1000000",
        seen=2**40,
        versions={UUID(int=number * 3**70 % 2**128): number for number in range(50)},
    )

    signed = selection.signed(chosen, salt=selection.OUTCOME)

    assert len(signed) < 3_000
    assert parse_qs(urlsplit(f"{OUTCOME}?of={signed}").query)["of"] == [signed]
    assert selection.read(signed, chosen.actor, salt=selection.OUTCOME) == chosen
