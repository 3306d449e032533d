"""Only the holder of a lease delivers. A worker that lost its lease stores nothing."""

from datetime import timedelta
from uuid import UUID

import pytest

from readmodels.webhooks import delivery, endpoints, leases
from readmodels.webhooks.delivery import End
from readmodels.webhooks.endpoints import Settings
from readmodels.webhooks.models import Attempt, Endpoint
from tests.support.api import ApiClient
from tests.support.concurrency import at_once
from tests.support.examples import NOON, OPERATOR
from tests.support.sinks import Received, Reply, Sink
from tests.support.webhooks import deliver, feed, receiver, refund, submit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


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
