"""Claiming the next payment of the review queue over HTTP."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from payments.application import review
from payments.application.dispatch import CommandContext
from payments.application.review import QueueLags
from payments.events.models import Event
from readmodels.queries import review_queue
from tests.support.api import FOUR_EYES, RISKY, ApiClient, body_of, project
from tests.support.claiming import ESCALATION, NEXT, actor, command, waiting
from tests.support.concurrency import at_once, session
from tests.support.raw_appends import DATA, INSERT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_claim_next_takes_the_nearest_deadline(ada: ApiClient, ben: ApiClient) -> None:
    first, second = waiting(ada, 2)
    assert body_of(ada.post(NEXT, {}))["id"] == first
    assert body_of(ben.post(NEXT, {}))["id"] == second
    empty = ada.post(NEXT, {})
    assert (empty.status_code, empty.content) == (204, b"")
    assert "RateLimit" in empty
    assert "Content-Type" not in empty
    project()
    assert ben.post(NEXT, {}).status_code == 204


@pytest.mark.parametrize("times_projected", [0, 1])
def test_claim_next_with_a_new_key_claims_another_payment(
    ada: ApiClient, times_projected: int
) -> None:
    """A repeated key returns its own payment, even if later ones were decided since then."""
    payments = waiting(ada, 3)
    claimed = []
    for key in ("1", "2", "3"):
        claimed.append(body_of(ada.post(NEXT, {}, key=key))["id"])
        for _ in range(times_projected):
            project()
    assert claimed == payments
    command(ada, payments[0], "approve", {"reason": "other"})
    assert body_of(ada.post(NEXT, {}, key="2"))["id"] == payments[1]


def test_claim_next_skips_payments_that_the_reviewer_may_not_decide(
    ada: ApiClient, ben: ApiClient, grace: ApiClient
) -> None:
    escalated, large = (*waiting(ada), *waiting(ada, amount=FOUR_EYES["amount"]))
    command(ada, escalated, "escalate", ESCALATION)
    command(grace, large, "approve", {"reason": "other"})
    project()
    assert ben.post(NEXT, {}).status_code == 204
    assert body_of(grace.post(NEXT, {}))["id"] == escalated
    command(grace, escalated, "approve", {"reason": "other"})
    assert grace.post(NEXT, {}).status_code == 204  # the reviewer already approved the large one
    hugo = ApiClient(staff="hugo", senior=True)
    assert body_of(hugo.post(NEXT, {}))["id"] == large


def test_claim_next_offers_only_payments_of_the_client(ada: ApiClient) -> None:
    waiting(ada)
    assert ApiClient("Bolt", staff="bob").post(NEXT, {}).status_code == 204


def test_claim_next_repetition_returns_the_same_payment(ada: ApiClient) -> None:
    first, _ = waiting(ada, 2)
    claimed = ada.post(NEXT, {}, key="1")
    command(ada, first, "approve", {"reason": "other"})
    project()
    again = ada.post(NEXT, {}, key="1")
    assert (again.status_code, again["Idempotency-Replayed"]) == (200, "true")
    assert body_of(again) == body_of(claimed)


def test_claim_next_concurrent_repetitions_claim_one_payment(ada: ApiClient) -> None:
    """Without the reservation of the key, each request would claim another payment."""
    waiting(ada, 5)
    before = Event.objects.count()
    answers = at_once(20, lambda _: ada.post(NEXT, {}, key="1"))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer for answer in answers) == 1
    assert Event.objects.count() == before + 1


def test_claim_next_gives_concurrent_reviewers_different_payments(ada: ApiClient) -> None:
    """The queue is not projected, so only the log prevents two claims once the locks end."""
    payments = waiting(ada, 12)
    people = [ApiClient(staff=f"reviewer-{number}") for number in range(8)]

    def work(number: int) -> list[str]:
        answers = [people[number].post(NEXT, {}) for _ in range(3)]
        return [body_of(each)["id"] for each in answers if each.status_code == 200]

    claimed = [payment for found in at_once(8, work) for payment in found]
    assert sorted(claimed) == sorted(payments)


@transaction.atomic
def offered(client: ApiClient, *, senior: bool = False) -> list[str]:
    offers = review_queue.claimable(
        reviewer=actor(client), senior=senior, client_id=client.client_id, at=timezone.now()
    )
    return [str(each) for each in offers]


def test_queue_offers_each_reviewer_what_they_may_decide(ada: ApiClient, grace: ApiClient) -> None:
    """The log would refuse all other payments, but only after a wait."""
    free, escalated, claimed = waiting(ada, 3)
    (large,) = waiting(ada, amount=FOUR_EYES["amount"])
    waiting(ApiClient("Bolt", staff="bob"))
    command(ada, escalated, "escalate", ESCALATION)
    command(ada, claimed, "claim")
    command(grace, large, "approve", {"reason": "other"})
    project()
    assert offered(ada) == [free]
    assert offered(grace, senior=True) == [free, escalated]
    hugo = ApiClient(staff="hugo", senior=True)
    assert offered(hugo, senior=True) == [free, escalated, large]


def test_queue_locks_offered_payments(ada: ApiClient) -> None:
    """Without SKIP LOCKED, the second request would wait for the first one until its timeout."""
    first, second = waiting(ada, 2)

    def offer(_: int) -> str:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            return str(next(queue()))

    def queue() -> Any:
        return review_queue.claimable(
            reviewer="staff:0", senior=False, client_id=None, at=timezone.now()
        )

    with transaction.atomic():
        assert str(next(queue())) == first
        assert at_once(1, offer) == [second]


def test_claim_next_reports_a_lagging_queue(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "_MOST_TAKEN", 2)
    payments = waiting(ada, 3)
    ben = ApiClient(staff="ben")
    for payment in payments:
        command(ben, payment, "claim")
    answer = ada.post(NEXT, {})
    assert (answer.status_code, body_of(answer)["code"]) == (503, "queue_behind")
    assert answer["Retry-After"] == "1"
    with pytest.raises(QueueLags):
        at, by = timezone.now(), actor(ada)
        review.claim_next(client_id=None, at=at, context=CommandContext(actor=by))
    monkeypatch.setattr(review, "_MOST_TAKEN", 3)
    assert ada.post(NEXT, {}).status_code == 204


def test_claim_next_skips_unreadable_payments(
    ada: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Unreadable events come from newer code during a deployment, or are damaged."""
    first, second = (
        body_of(ada.submit(**RISKY | {"customer_id": name, "reference": name}))["id"]
        for name in ("ann", "bob")
    )
    project()
    with session() as writer:
        writer.execute(
            INSERT.replace("payment.initiated", "payment.teleported"),
            {"stream": first, "data": DATA},
        )
    assert body_of(ada.post(NEXT, {}))["id"] == second
    assert f"Payment {first} cannot be claimed." in caplog.text
