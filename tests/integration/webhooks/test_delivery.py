"""Delivery of events to one endpoint: order, results, held payments and the lease."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import msgspec
import pytest
from django.db import connection

from payments.actors import client as client_actor
from readmodels.feed import reading
from readmodels.webhooks import delivery, endpoints, keys, leases, rounds, schedule
from readmodels.webhooks.delivery import End
from readmodels.webhooks.endpoints import Settings
from readmodels.webhooks.models import Attempt, Endpoint, HeldPayment, Outcome, State
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, project
from tests.support.concurrency import at_once
from tests.support.examples import NOON, OPERATOR
from tests.support.sinks import Received, Reply, Sink, verifies
from tests.support.webhooks import deliver, receiver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def submit(acme: ApiClient, count: int = 1) -> list[str]:
    """Submit payments of one event each. Return their ids."""
    payments = [body_of(acme.submit())["id"] for _ in range(count)]
    project()
    return payments


def refund(acme: ApiClient, payment: str, times: int = 1) -> None:
    for _ in range(times):
        body = {"amount": 1, "currency": "EUR", "reason": "requested_by_customer"}
        assert acme.post(f"{PAYMENTS}/{payment}/refunds", body).status_code < 300
    project()


def rejecting(*payments: str, status: int = 422) -> Callable[[Received], Reply]:
    return lambda message: Reply(status if message.payment_id in payments else 204)


def feed(acme: ApiClient) -> list[str]:
    page = reading.read(acme.client_id, after=0, limit=1_000)
    return [event.id for event in page.events]


def outcomes() -> list[tuple[str, int | None]]:
    return list(Attempt.objects.order_by("id").values_list("outcome", "status"))


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
def test_ill_endpoint_keeps_its_cursor_and_waits(hook: Sink, acme: ApiClient, status: int) -> None:
    endpoint = receiver(hook)
    submit(acme, 3)
    hook.answer = lambda _: Reply(status)

    after = deliver(endpoint, at=NOON)

    assert after.position < int(feed(acme)[0].removeprefix("evt_"))
    assert (after.failures, after.lease) == (1, None)
    assert not HeldPayment.objects.exists()
    assert 5 <= (after.next_attempt_at - NOON).total_seconds() < 7
    assert delivery.deliver(endpoint.pk, at=NOON) is End.NOT_DUE


def test_attempts_of_an_ill_endpoint_follow_the_schedule_until_it_is_disabled(
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
    hook.answer = lambda _: Reply(500)
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
    hook.answer = rejecting(payments[10], status=500)

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


def test_held_payment_takes_events_of_the_page_that_frees_it(hook: Sink, acme: ApiClient) -> None:
    """Seen to fail: the cursor moved over the new event, and the row was deleted without it."""
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


def test_illness_does_not_count_for_held_payments(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    (payment,) = submit(acme)
    hook.answer = rejecting(payment)
    endpoint = deliver(endpoint)
    held = HeldPayment.objects.get()
    hook.answer = lambda _: Reply(500)

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


def test_holder_of_a_lost_lease_records_nothing(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    submit(acme)
    before = endpoint.position

    def steal(_: Received) -> Reply:
        Endpoint.objects.update(lease=UUID(int=7))
        return Reply()

    hook.answer = steal
    endpoint = deliver(endpoint)

    assert (endpoint.position, endpoint.lease) == (before, UUID(int=7))
    assert not Attempt.objects.exists()


@pytest.mark.parametrize("change", ["pause", "resume", "replay", "delete"])
def test_change_during_a_request_ends_the_lease(hook: Sink, acme: ApiClient, change: str) -> None:
    endpoint = receiver(hook)
    submit(acme)
    options = {"after": 0} if change == "replay" else {}

    def intervene(_: Received) -> Reply:
        getattr(endpoints, change)(endpoint, at=NOON, by=OPERATOR, **options)
        return Reply(500)

    hook.answer = intervene
    assert delivery.deliver(endpoint.pk, at=endpoint.next_attempt_at) is End.DONE

    assert not Attempt.objects.exists()
    for row in Endpoint.objects.all():
        assert (row.failures, row.lease) == (0, None)


def test_type_chosen_during_a_turn_is_not_skipped(
    hook: Sink, acme: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_PAGE", 1)  # so the turn has a second round
    endpoint = receiver(hook, event_types=["payment.processed"])
    (payment,) = submit(acme)

    def choose(_: Received) -> Reply:
        hook.answer = lambda _: Reply()
        endpoints.change(endpoint, Settings(event_types=[]), at=NOON, by=OPERATOR)
        refund(acme, payment)
        return Reply()

    hook.answer = choose
    deliver(endpoint)
    deliver(endpoint)

    assert {each.event["type"] for each in hook.received} == {
        "payment.processed",
        "payment.refunded",
    }


def test_only_one_of_many_workers_takes_an_endpoint(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    submit(acme)
    hook.answer = lambda _: Reply(seconds=0.5)

    ends = at_once(4, lambda _: delivery.deliver(endpoint.pk, at=NOON))

    assert sorted(end.name for end in ends) == ["DONE", "NOT_DUE", "NOT_DUE", "NOT_DUE"]
    assert len(hook.received) == 1


def test_slow_endpoints_of_a_client_leave_threads_to_others(hook: Sink, acme: ApiClient) -> None:
    slow = [receiver(hook, f"/{number}") for number in range(leases.MOST_SLOW)]
    last = receiver(hook, "/last")
    submit(acme)
    later = NOON + timedelta(seconds=5)
    for each in slow:
        assert leases.take(each.pk, at=NOON, until=NOON + timedelta(seconds=30))

    refused = delivery.deliver(last.pk, at=later)
    prolonged = Endpoint.objects.filter(pk=slow[0].pk)
    prolonged.update(leased_until=later + timedelta(seconds=30))

    assert refused is End.NOT_DUE
    assert delivery.deliver(last.pk, at=later) is End.DONE
    assert len(hook.received) == 1


def test_turn_ends_and_reports_that_more_is_left(hook: Sink, acme: ApiClient) -> None:
    endpoint = receiver(hook)
    (payment,) = submit(acme)
    refund(acme, payment, times=10)
    hook.answer = lambda _: Reply(seconds=0.05)

    end = delivery.deliver(endpoint.pk, at=NOON, seconds=0.2)

    assert end is End.UNFINISHED
    sent = len(hook.received)
    assert 1 <= sent < 11
    endpoint.refresh_from_db()
    assert (endpoint.lease, endpoint.failures) == (None, 0)
    deliver(endpoint)
    assert hook.ids() == feed(acme)


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
    assert endpoint.client_id == acme.client_id
    assert client_actor(acme.client_id) != client_actor(other.client_id)


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
