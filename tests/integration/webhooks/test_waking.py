"""Endpoints with new events are woken. If a task is lost, beat's next turn delivers."""

import json
import time
from base64 import b64decode
from datetime import timedelta
from uuid import uuid4

import pytest
import redis
from django.conf import settings as django_settings
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from config.stack.valkey import Valkey
from payments.valkey import Connection
from readmodels.engine import runner, wakeups
from readmodels.models import Checkpoint
from readmodels.projections import event_index
from readmodels.tasks import project as project_task
from readmodels.webhooks import delivery, endpoints, tasks, waking
from readmodels.webhooks.models import Attempt, Endpoint, HeldPayment, Outcome, State
from tests.support.api import ApiClient, project
from tests.support.concurrency import session
from tests.support.examples import NOON, OPERATOR
from tests.support.roundtrips import round_trips
from tests.support.sinks import Reply, Sink
from tests.support.webhooks import endpoint, receiver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def queue() -> redis.Redis:
    client: redis.Redis = redis.Redis.from_url(django_settings.REDIS_URL)
    client.flushdb()
    return client


def woken(queue: redis.Redis) -> list[str]:
    """Return the endpoints for which tasks wait, in order."""
    messages = [json.loads(each) for each in reversed(queue.lrange("webhooks", 0, -1))]
    assert {each["headers"]["task"] for each in messages} <= {"webhooks.deliver"}
    return [json.loads(b64decode(each["body"]))[0][0] for each in messages]


def test_batch_of_the_index_wakes_the_endpoints_of_its_clients(
    acme: ApiClient, queue: redis.Redis
) -> None:
    mine = [str(endpoint(url=f"https://93.184.215.14/{each}").pk) for each in "ab"]
    endpoint("Bolt")
    paused = endpoint(url="https://93.184.215.14/paused")
    endpoints.pause(paused, at=NOON, by=OPERATOR)
    waiting = endpoint(url="https://93.184.215.14/waiting")
    Endpoint.objects.filter(pk=waiting.pk).update(
        next_attempt_at=timezone.now() + timedelta(hours=1)
    )
    acme.submit()

    project_task("event_index")
    acme.submit()
    project_task("event_index")

    assert sorted(woken(queue)) == sorted(mine)


def test_batch_of_the_index_costs_one_round_trip_without_endpoints(acme: ApiClient) -> None:
    acme.submit()
    runner.catch_up(event_index.PROJECTION)
    position = Checkpoint.objects.get(name="event_index").position

    waking.wake_clients(after=0, upto=position)  # prepares the statement
    with round_trips() as counted:
        waking.wake_clients(after=0, upto=position)

    assert counted.count == 1


def test_beat_wakes_only_endpoints_with_something_to_send(
    acme: ApiClient, queue: redis.Redis
) -> None:
    now = timezone.now()
    named = {
        name: endpoint(url=f"https://93.184.215.14/{name}")
        for name in ("events", "nothing", "held", "held-later", "test", "paused", "leased", "later")
    }
    acme.submit()
    project()
    end = Checkpoint.objects.get(name="event_index").position
    for name in ("nothing", "held", "held-later", "test"):
        Endpoint.objects.filter(pk=named[name].pk).update(position=end)
    for name, due in (("held", now), ("held-later", now + timedelta(seconds=9))):
        HeldPayment.objects.create(
            endpoint=named[name], payment_id=uuid4(), position=1, since=now, tries=1,
            next_attempt_at=due, error="",
        )  # fmt: skip
    endpoints.pause(named["test"], at=NOON, by=OPERATOR)
    endpoints.request_test(named["test"], at=NOON, by=OPERATOR)
    endpoints.pause(named["paused"], at=NOON, by=OPERATOR)
    Endpoint.objects.filter(pk=named["leased"].pk).update(
        lease=uuid4(), leased_until=now + timedelta(minutes=1)
    )
    Endpoint.objects.filter(pk=named["later"].pk).update(next_attempt_at=now + timedelta(minutes=1))
    queue.flushdb()

    tasks.deliver_due()

    assert set(woken(queue)) == {str(named[name].pk) for name in ("events", "held", "test")}


def test_deliver_clears_the_key_and_continues_if_it_is_set_again(
    hook: Sink, acme: ApiClient, queue: redis.Redis
) -> None:
    to = receiver(hook)
    acme.submit()
    project()

    kept = []

    def append(_: object) -> Reply:
        kept.append(waking.READERS.is_woken(str(to.pk)))
        if len(hook.received) == 1:
            acme.submit()
            runner.catch_up(event_index.PROJECTION)
            waking.READERS.wake(str(to.pk))
        return Reply()

    hook.answer = append
    waking.READERS.wake(str(to.pk))
    tasks.deliver(str(to.pk))

    assert kept == [False, False]
    assert not waking.READERS.is_woken(str(to.pk))


@pytest.mark.parametrize("change", ["resume", "replay", "request_test"])
def test_change_that_sends_something_wakes_the_endpoint(queue: redis.Redis, change: str) -> None:
    to = endpoint()
    options = {"after": 0} if change == "replay" else {}

    with transaction.atomic():
        getattr(endpoints, change)(to, at=NOON, by=OPERATOR, **options)
        assert woken(queue) == []

    assert woken(queue) == [str(to.pk)]


def test_doubled_and_late_tasks_are_harmless(hook: Sink, acme: ApiClient) -> None:
    to = receiver(hook)
    acme.submit()
    project()

    for _ in range(3):
        tasks.deliver(str(to.pk))
    tasks.deliver(str(uuid4()))

    assert len(hook.received) == 1


def test_deliver_hands_over_after_its_turn(
    hook: Sink, acme: ApiClient, queue: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = receiver(hook)
    acme.submit()
    project()
    queue.flushdb()
    monkeypatch.setattr(delivery, "stopping", _Set())

    tasks.deliver(str(to.pk))

    assert woken(queue) == [str(to.pk)]
    assert hook.received == []
    assert Endpoint.objects.get().lease is None


def test_deliver_hands_over_under_steady_traffic(
    hook: Sink, acme: ApiClient, queue: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise, a busy endpoint would keep its thread, and sixteen would stop all others."""
    to = receiver(hook)
    acme.submit()
    project()

    def keep_waking(_: object) -> Reply:
        if len(hook.received) > 4:
            return Reply()
        acme.submit()
        runner.catch_up(event_index.PROJECTION)
        waking.wake(to.pk)
        return Reply()

    hook.answer = keep_waking
    monkeypatch.setattr(delivery, "TURN_SECONDS", 0.0)
    tasks.deliver(str(to.pk))

    assert len(hook.received) == 1
    assert str(to.pk) in woken(queue)


class _Set:
    def is_set(self) -> bool:
        return True


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_lost_broker_delays_a_delivery_until_beat(
    hook: Sink,
    acme: ApiClient,
    own_valkey: Valkey,
    queue: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    to = receiver(hook)
    acme.submit()
    # Wait for the announcer: after a fault, it would pause and delay wake-ups of later tests.
    while not queue.llen("celery"):
        time.sleep(0.01)
    getattr(own_valkey, fault)()
    with monkeypatch.context() as broken:
        broken.setattr(wakeups, "_valkey", Connection(own_valkey.url()))
        project_task("event_index")
        tasks.deliver_due()
    assert woken(queue) == []

    tasks.deliver_due()
    for name in woken(queue):
        tasks.deliver(name)

    assert len(hook.received) == 1
    assert Endpoint.objects.get(pk=to.pk).failures == 0


def test_missing_index_and_keys_are_logged_once(
    hook: Sink, acme: ApiClient, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    to = receiver(hook)
    acme.submit()
    project()
    Checkpoint.objects.filter(name="event_index").update(version=1)
    for _ in range(2):
        Endpoint.objects.update(lease=None, leased_until=None)
        tasks.deliver(str(to.pk))
    settings.WEBHOOK_KEYS = []
    tasks.deliver(str(to.pk))

    assert hook.received == []
    assert caplog.text.count("event_index has to be rebuilt first.") == 1
    assert Endpoint.objects.get().state == State.ACTIVE


def test_delivery_survives_a_lost_connection(hook: Sink, acme: ApiClient) -> None:
    from django.db import connection

    to = receiver(hook)
    acme.submit()
    project()
    with session() as other:
        other.execute(
            "SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid]
        )
    tasks.deliver.apply((str(to.pk),))
    Endpoint.objects.update(lease=None, leased_until=None)
    tasks.deliver.apply((str(to.pk),))

    assert len(hook.received) == 1


def test_prune_deletes_attempts_older_than_thirty_days(
    monkeypatch: pytest.MonkeyPatch, acme: ApiClient
) -> None:
    monkeypatch.setattr(tasks, "_PRUNED_AT_ONCE", 2)
    to = endpoint()
    now = timezone.now()
    for days in (0, 29, 31, 32, 33):
        Attempt.objects.create(
            endpoint=to, message_id="evt_1", event_type="payment.processed", number=1,
            at=now - timedelta(days=days), milliseconds=1, outcome=Outcome.DELIVERED,
        )  # fmt: skip

    tasks.prune()

    assert {(now - each.at).days for each in Attempt.objects.all()} == {0, 29}
