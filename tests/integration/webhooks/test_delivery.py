"""Delivery of events to one endpoint: order, messages and failures."""

from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from django.db import connection

from readmodels.feed import reading
from readmodels.webhooks import delivery, endpoints, keys, schedule
from readmodels.webhooks.delivery import End
from readmodels.webhooks.models import Attempt, Endpoint, HeldPayment, Outcome, State
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, project
from tests.support.examples import NOON, OPERATOR
from tests.support.sinks import Received, Reply, Sink, verifies
from tests.support.webhooks import deliver, feed, outcomes, receiver, refund, rejecting, submit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_delivery_sends_each_event_once_as_in_the_feed(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    (payment,) = submit(acme)
    refund(acme, payment, times=3)

    endpoint = deliver(endpoint)

    assert hook.invalid == []
    assert hook.ids() == feed(acme)
    page = reading.read(acme.client_id, after=0, limit=1_000)
    assert [each.body for each in hook.received] == [msgspec.json.encode(e) for e in page.events]
    assert verifies(keys.public_keys()[0], hook.received[0])
    assert (endpoint.position, endpoint.lease) == (page.next_after, None)
    assert outcomes() == [("delivered", 204)] * 4
    deliver(endpoint)
    assert len(hook.received) == 4


def test_delivery_sends_more_pages_than_one_in_order_per_payment(
    hook: Sink, acme: ApiClient
) -> None:
    endpoint = receiver(hook)
    payments = submit(acme, 3)
    for payment in payments:
        refund(acme, payment, times=40)

    deliver(endpoint)

    assert sorted(hook.ids()) == sorted(feed(acme))
    for payment in payments:
        positions = [each.event["position"] for each in hook.received if each.payment_id == payment]
        assert positions == sorted(positions)
        assert len(positions) == 41


def test_delivery_sends_only_the_chosen_types_and_thin_data(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook, event_types=["payment.refunded"], thin=True)
    (payment,) = submit(acme)
    refund(acme, payment)

    endpoint = deliver(endpoint)

    (message,) = hook.received
    assert message.event["type"] == "payment.refunded"
    assert message.event["data"] == {"payment_id": payment}
    assert endpoint.position == reading.read(acme.client_id, after=0, limit=9).next_after


def test_delivery_holds_no_transaction_while_a_request_is_out(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    submit(acme)
    states: list[str] = []

    def look(_: Received) -> Reply:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT state FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            states.extend(state for (state,) in cursor.fetchall())
        return Reply()

    hook.answer = look
    deliver(endpoint)

    assert "idle in transaction" not in states
    assert "idle" in states


@pytest.mark.parametrize("status", [301, 408, 425, 429, 500, 503])
def test_failing_endpoint_keeps_its_cursor_and_waits(
    hook: Sink, acme: ApiClient, status: int
) -> None:
    endpoint = receiver(hook)
    submit(acme, 3)
    hook.answer = lambda _: Reply(status)

    after = deliver(endpoint, at=NOON)

    assert after.position < int(feed(acme)[0].removeprefix("evt_"))
    assert (after.failures, after.lease) == (1, None)
    assert not HeldPayment.objects.exists()
    assert 5 <= (after.next_attempt_at - NOON).total_seconds() < 7
    assert delivery.deliver(endpoint.pk, at=NOON) is End.NOT_DUE


def test_attempts_of_a_failing_endpoint_follow_the_schedule_until_it_is_disabled(
    hook: Sink, acme: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = receiver(hook)
    submit(acme)
    hook.secrets.clear()
    hook.answer = lambda _: Reply(503)
    at = NOON

    while (endpoint := deliver(endpoint, at=at)).state == State.ACTIVE:
        assert endpoint.next_attempt_at > at
        at = endpoint.next_attempt_at

    tried, numbers = zip(*Attempt.objects.order_by("id").values_list("at", "number"), strict=True)
    assert list(numbers) == list(range(1, len(tried) + 1))
    waits = [
        timedelta(seconds=round((after - before).total_seconds()))
        for before, after in pairwise(tried)
    ]
    assert tuple(waits[:9]) == schedule.STEPS
    assert set(waits[9:]) == {schedule.STEPS[-1]}
    assert tried[-2] - NOON < schedule.DISABLE_AFTER <= tried[-1] - NOON + timedelta(seconds=1)
    assert endpoint.disabled_reason.startswith("Nothing was delivered for 5 days.")
    assert "was disabled" in caplog.text
    assert delivery.deliver(endpoint.pk, at=at + timedelta(days=9)) is End.NOT_DUE


def test_retry_after_delays_the_next_attempt_by_at_most_an_hour(
    hook: Sink, acme: ApiClient
) -> None:
    endpoint = receiver(hook)
    submit(acme)
    hook.answer = lambda _: Reply(429, {"Retry-After": "86400"})

    endpoint = deliver(endpoint, at=NOON)

    assert round((endpoint.next_attempt_at - NOON) / timedelta(seconds=1)) == 3_600


def test_failing_endpoint_gets_one_request_until_one_is_delivered(
    hook: Sink, acme: ApiClient
) -> None:
    endpoint = receiver(hook)
    submit(acme, 20)
    hook.answer = lambda _: Reply(503)
    endpoint = deliver(endpoint, at=NOON)
    first = len(hook.received)

    endpoint = deliver(endpoint, at=endpoint.next_attempt_at)
    probed = len(hook.received) - first
    hook.answer = lambda _: Reply()
    endpoint = deliver(endpoint, at=endpoint.next_attempt_at)

    assert 1 <= first <= 8
    assert probed == 1
    assert (endpoint.failures, endpoint.failing_since) == (0, None)
    assert set(hook.ids()) == set(feed(acme))


def test_cursor_moves_only_over_delivered_events_without_a_gap(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    payments = submit(acme, 30)
    hook.answer = rejecting(payments[10], status=503)

    endpoint = deliver(endpoint)

    positions = [int(each.removeprefix("evt_")) for each in feed(acme)]
    assert endpoint.position == positions[10] - 1
    assert (endpoint.failures, endpoint.failing_since is None) == (1, False)


def test_gone_endpoint_is_disabled_at_once(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    submit(acme)
    hook.answer = lambda _: Reply(410)

    endpoint = deliver(endpoint)

    assert (endpoint.state, endpoint.lease) == (State.DISABLED, None)
    assert endpoint.disabled_reason == "The endpoint answered 410 Gone."
    assert outcomes() == [("failed", 410)]


@pytest.mark.parametrize("state", State.values)
def test_test_message_reaches_an_endpoint_in_any_state(
    hook: Sink, acme: ApiClient, state: str
) -> None:
    endpoint = receiver(hook)
    Endpoint.objects.update(state=state, next_attempt_at=NOON + timedelta(days=9))
    submit(acme)
    message_id = endpoints.request_test(endpoint, at=NOON, by=OPERATOR)

    endpoint = deliver(endpoint, at=datetime.now(NOON.tzinfo) - timedelta(days=900))

    assert hook.ids() == [message_id]
    assert hook.received[0].event["type"] == "webhook.test"
    assert (endpoint.test_id, endpoint.state, endpoint.failures) == (None, state, 0)
    assert Attempt.objects.get().position is None


def test_test_requested_during_another_is_kept(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    endpoints.request_test(endpoint, at=NOON, by=OPERATOR)

    def request(_: Received) -> Reply:
        hook.answer = lambda _: Reply()
        endpoints.request_test(endpoint, at=NOON, by=OPERATOR)
        return Reply()

    hook.answer = request
    endpoint = deliver(endpoint)

    assert endpoint.test_id is not None


def test_unreadable_secret_is_shown_as_a_failed_attempt(
    hook: Sink, acme: ApiClient, settings: object
) -> None:
    endpoint = receiver(hook)
    submit(acme)
    settings.WEBHOOK_KEYS = ["77" * 32]  # type: ignore[attr-defined]

    endpoint = deliver(endpoint)

    assert hook.received == []
    assert endpoint.failures == 1
    assert Attempt.objects.get().error.startswith("The endpoint's secret was encrypted with a key")

    secret = endpoints.rotate_secret(endpoint, at=NOON, by=OPERATOR)
    hook.secrets["/hook"] = secret
    deliver(endpoint, at=endpoint.next_attempt_at)
    assert (len(hook.received), hook.invalid) == (1, [])


def test_both_secrets_verify_for_a_day_after_a_rotation(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    old = hook.secrets["/hook"]
    now = datetime.now(NOON.tzinfo)
    new = endpoints.rotate_secret(endpoint, at=now - timedelta(hours=23), by=OPERATOR)
    for secret in (old, new):
        hook.secrets["/hook"] = secret
        submit(acme)
        deliver(endpoint)
    assert hook.invalid == []

    Endpoint.objects.update(old_secret_until=now)
    hook.secrets["/hook"] = old
    submit(acme)
    deliver(endpoint)

    assert [str(error) for error in hook.invalid] == ["No matching signature found"]


def test_answers_are_kept_only_for_attempts_that_failed(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    _, bad = submit(acme, 2)
    hook.answer = lambda message: (
        Reply(422, body=b"no \0 such order")
        if message.payment_id == bad
        else Reply(200, body=b"ok")
    )

    deliver(endpoint)

    answers = dict(Attempt.objects.values_list("outcome", "response"))
    assert answers == {Outcome.DELIVERED: "", Outcome.REJECTED: "no � such order"}


def test_client_receives_no_events_of_others(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    other = ApiClient("Bolt")
    submit(other)
    submit(acme)

    deliver(endpoint)

    assert hook.ids() == feed(acme)


def test_review_of_a_payment_arrives_in_its_order(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    payment = body_of(acme.submit(**RISKY))["id"]
    acme.post(f"{PAYMENTS}/{payment}/approve", {"reason": "known_customer"})
    project()

    deliver(endpoint)

    assert [each.event["type"] for each in hook.received] == [
        "payment.flagged_for_review",
        "payment.approved",
        "payment.processed",
    ]
