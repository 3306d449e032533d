"""Rejected events hold their payments. A replay frees them."""

from uuid import UUID

import pytest

from readmodels.feed import reading
from readmodels.webhooks import endpoints, rounds, schedule
from readmodels.webhooks.models import Attempt, Endpoint, HeldPayment, State
from tests.support.api import ApiClient
from tests.support.examples import NOON, OPERATOR
from tests.support.sinks import Reply, Sink
from tests.support.webhooks import deliver, feed, outcomes, receiver, refund, rejecting, submit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_rejected_event_holds_its_payment_while_others_continue(
    hook: Sink, acme: ApiClient
) -> None:
    endpoint = receiver(hook)
    bad, good = submit(acme, 2)
    refund(acme, bad)
    hook.answer = rejecting(bad)

    endpoint = deliver(endpoint)
    refund(acme, bad)
    refund(acme, good)
    endpoint = deliver(endpoint)

    held = HeldPayment.objects.get()
    assert [each.payment_id for each in hook.received].count(bad) == 1
    assert [each.payment_id for each in hook.received].count(good) == 2
    assert (held.payment_id, held.tries) == (UUID(bad), 1)
    assert held.error == "The endpoint answered 422."
    assert (endpoint.failures, endpoint.state) == (0, State.ACTIVE)
    assert endpoint.position == reading.read(acme.client_id, after=0, limit=99).next_after

    hook.answer = lambda _: Reply()
    deliver(endpoint, at=held.next_attempt_at)

    sent = [each.event["position"] for each in hook.received if each.payment_id == bad][1:]
    assert len(sent) == 3
    assert sent == sorted(sent)
    assert not HeldPayment.objects.exists()


@pytest.mark.parametrize("failures", [0, 3])
def test_event_at_which_the_receiver_fails_holds_its_payment_only(
    hook: Sink, acme: ApiClient, failures: int
) -> None:
    """Regression: each turn began with this event, and the endpoint was disabled after days."""
    endpoint = receiver(hook)
    Endpoint.objects.filter(pk=endpoint.pk).update(
        failures=failures, failing_since=NOON if failures else None
    )
    bad, *good = submit(acme, 3)
    hook.answer = rejecting(bad, status=500)

    endpoint = deliver(endpoint)

    assert HeldPayment.objects.get().payment_id == UUID(bad)
    assert {each.payment_id for each in hook.received} == {bad, *good}
    assert (endpoint.failures, endpoint.next_attempt_at <= NOON) == (0, True)

    endpoint = deliver(endpoint, at=HeldPayment.objects.get().next_attempt_at)

    assert (endpoint.failures, HeldPayment.objects.get().tries) == (0, 2)


def test_event_whose_failure_comes_after_all_deliveries_holds_its_payment(
    hook: Sink, acme: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the result depended on which of the parallel answers came first."""
    monkeypatch.setattr(rounds, "_THREADS", 1)
    endpoint = receiver(hook)
    *_, bad = submit(acme, 3)
    hook.answer = rejecting(bad, status=500)

    endpoint = deliver(endpoint)

    assert hook.received[-1].payment_id == bad
    assert HeldPayment.objects.get().payment_id == UUID(bad)
    assert endpoint.failures == 0


def test_endpoint_that_fails_at_two_payments_in_a_row_fails(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    Endpoint.objects.filter(pk=endpoint.pk).update(failures=1, failing_since=NOON)
    submit(acme, 5)
    hook.answer = lambda _: Reply(500)

    endpoint = deliver(endpoint)

    assert len(hook.received) == 2
    assert (endpoint.failures, HeldPayment.objects.count()) == (2, 0)


def test_held_payment_takes_events_of_the_page_that_frees_it(hook: Sink, acme: ApiClient) -> None:
    """Regression: the cursor skipped the new event, and the held row was deleted without it."""
    endpoint = receiver(hook)
    (payment,) = submit(acme)
    hook.answer = rejecting(payment)
    endpoint = deliver(endpoint)
    refund(acme, payment)
    hook.answer = lambda _: Reply()

    deliver(endpoint, at=HeldPayment.objects.get().next_attempt_at)

    assert hook.ids()[1:] == feed(acme)


def test_event_rejected_for_too_long_is_dropped_and_its_payment_continues(
    hook: Sink, acme: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = receiver(hook)
    hook.secrets.clear()
    (payment,) = submit(acme)
    refund(acme, payment)
    first, second = feed(acme)
    hook.answer = lambda message: Reply(400 if message.id == first else 204)
    at = NOON
    endpoint = deliver(endpoint, at=at)

    while held := HeldPayment.objects.first():
        at = held.next_attempt_at
        deliver(endpoint, at=at)

    assert hook.ids() == [first] * 10 + [second]
    assert at - NOON >= schedule.DROP_AFTER
    assert [outcome for outcome, _ in outcomes()] == (["rejected"] * 10 + ["dropped", "delivered"])
    numbers = Attempt.objects.order_by("id").values_list("number", flat=True)
    assert list(numbers) == [*range(1, 11), 10, 1]
    assert f"{first} was dropped" in caplog.text


def test_failure_of_the_endpoint_does_not_count_for_held_payments(
    hook: Sink, acme: ApiClient
) -> None:
    endpoint = receiver(hook)
    (payment,) = submit(acme)
    hook.answer = rejecting(payment)
    endpoint = deliver(endpoint)
    held = HeldPayment.objects.get()
    hook.answer = lambda _: Reply(503)

    endpoint = deliver(endpoint, at=held.next_attempt_at)

    assert HeldPayment.objects.get().tries == 1
    assert endpoint.failures == 1


def test_endpoint_that_rejects_almost_everything_counts_as_ill(
    hook: Sink, acme: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "MOST_HELD", 5)
    endpoint = receiver(hook)
    submit(acme, 20)
    hook.answer = lambda _: Reply(404)

    endpoint = deliver(endpoint)

    assert HeldPayment.objects.count() == 5
    assert endpoint.failures == 1
    assert endpoint.position < int(feed(acme)[-1].removeprefix("evt_"))


def test_replay_changes_only_the_position(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    payments = submit(acme, 3)
    hook.answer = rejecting(payments[1])
    endpoint = deliver(endpoint)
    before = {field: getattr(endpoint, field) for field in ("state", "failures", "secret")}

    endpoints.replay(endpoint, after=0, at=endpoint.next_attempt_at, by=OPERATOR)
    hook.answer = lambda _: Reply()
    endpoint = deliver(endpoint)

    assert sorted(hook.ids()[3:]) == sorted(feed(acme))
    assert not HeldPayment.objects.exists()
    assert {field: getattr(endpoint, field) for field in before} == before
