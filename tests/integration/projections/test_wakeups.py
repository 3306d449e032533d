"""Wake-ups are coalesced and never delay a command. A lost one costs one interval of beat."""

import itertools
import json
import time
from base64 import b64decode
from typing import Any
from uuid import uuid4

import pytest
import redis
from celery import current_app
from django.conf import settings as django_settings
from django.db import connection, transaction

from config.stack.valkey import Valkey
from payments.aggregates import PAYMENT_AGGREGATE
from payments.application.tasks import expire_reviews
from payments.events import store
from payments.events.metadata import Metadata
from payments.valkey import Connection
from readmodels import tasks
from readmodels.engine import runner, wakeups
from readmodels.models import PaymentSummary
from readmodels.projections import PROJECTIONS
from tests.support.api import BODY, PAYMENTS, ApiClient
from tests.support.concurrency import session
from tests.support.example_events import initiated
from tests.support.oracle import check_read_models

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = sorted(PROJECTIONS)


def append() -> None:
    metadata = Metadata(actor="system:test", command="process_payment")
    store.append(PAYMENT_AGGREGATE, uuid4(), [initiated()], expected=0, metadata=metadata)


@pytest.fixture
def queue() -> redis.Redis:
    """Return the broker, emptied after the announcer has finished the work of earlier tests."""
    client: redis.Redis = redis.Redis.from_url(django_settings.REDIS_URL)
    before = -1
    while before != (before := int(client.llen("celery"))):
        time.sleep(0.1)
    client.flushdb()
    return client


def published(queue: redis.Redis, *, at_least: int = 0) -> int:
    """Return the number of waiting tasks, which the announcer publishes from its own thread."""
    for _ in range(100):
        if int(queue.llen("celery")) >= at_least > 0:
            break
        time.sleep(0.01)
    return int(queue.llen("celery"))


def test_many_appends_publish_one_task_for_all_projections(queue: redis.Redis) -> None:
    client = ApiClient()
    for _ in range(20):
        client.submit()
    assert published(queue, at_least=1) == 1
    time.sleep(0.1)
    (message,) = queue.lrange("celery", 0, -1)
    names, _, _ = json.loads(b64decode(json.loads(message)["body"]))
    assert sorted(names) == NAMES


def test_wake_publishes_only_for_projections_without_a_task(queue: redis.Redis) -> None:
    wakeups.projections.wake("payment_summary")
    wakeups.projections.wake(*NAMES)
    message, _ = queue.lrange("celery", 0, -1)  # the newest first
    names, _, _ = json.loads(b64decode(json.loads(message)["body"]))

    assert sorted([*names, "payment_summary"]) == NAMES


def test_task_continues_after_a_stalled_projection(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run_batch = runner.run_batch

    def run_or_fail(projection: Any, **options: Any) -> Any:
        if projection.name == NAMES[0]:
            raise ValueError("broken")
        return run_batch(projection, **options)

    monkeypatch.setattr(runner, "run_batch", run_or_fail)
    append()
    tasks.project("of another version", *NAMES)
    assert PaymentSummary.objects.count() == 1
    assert "There is no projection of another version here." in caplog.text
    assert f"{NAMES[0]} is stalled." in caplog.text


def test_task_carries_the_ids_of_the_request_that_woke_it(queue: redis.Redis) -> None:
    """The announcer's thread has no request, so it must bind the ids itself."""
    acme = ApiClient()
    for request_id in ("trace-7", "trace-8"):
        acme.post(PAYMENTS, BODY, **{"X-Request-ID": request_id, "X-Correlation-ID": "checkout"})
        assert published(queue, at_least=1) == 1
        for message in queue.lrange("celery", 0, -1):
            context = json.loads(message)["headers"]["__django_structlog__"]
            assert context == {"request_id": request_id, "correlation_id": "checkout"}
        queue.flushdb()


@pytest.mark.slow
def test_wake_up_follows_the_commit_and_no_rollback(queue: redis.Redis) -> None:
    client = ApiClient()
    with transaction.atomic():
        client.submit()
        time.sleep(0.1)
        assert published(queue) == 0
        transaction.set_rollback(True)
    time.sleep(0.1)
    assert published(queue) == 0


def test_task_deletes_the_key_before_it_reads(queue: redis.Redis) -> None:
    """An append after the deletion finds no key, so it publishes a new task."""
    append()
    wakeups.projections.wake("payment_summary")
    tasks.project("payment_summary")
    assert PaymentSummary.objects.count() == 1
    assert not wakeups.projections.is_woken("payment_summary")
    wakeups.projections.wake("payment_summary")
    assert published(queue) == 2


def test_task_hands_over_after_its_turn_even_if_the_key_is_set(
    queue: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: with the key set, `wake` published nothing, so the rest waited for beat."""
    monkeypatch.setattr(tasks, "_TURN_SECONDS", 0.0)
    run_batch = runner.run_batch

    def run_and_be_woken(*arguments: Any, **options: Any) -> Any:
        batch = run_batch(*arguments, **options)
        append()
        wakeups._valkey.ask("SET", wakeups.projections._key("payment_summary"), 1)
        return batch

    append()
    monkeypatch.setattr(runner, "run_batch", run_and_be_woken)
    tasks.project("payment_summary")
    assert PaymentSummary.objects.count() == 1
    assert published(queue, at_least=1) == 1


def test_task_keeps_the_key_if_the_checkpoint_is_locked() -> None:
    """The holder of the lock checks the key at its end, so a deletion would lose the wake-up."""
    append()
    runner.catch_up(PROJECTIONS["payment_summary"])
    append()
    wakeups.projections.wake("payment_summary")
    with session() as other:
        other.execute("BEGIN")
        other.execute("SELECT FROM readmodels_checkpoint FOR UPDATE")
        tasks.project("payment_summary")
        assert wakeups.projections.is_woken("payment_summary")
    assert PaymentSummary.objects.count() == 1


def test_task_continues_while_it_is_woken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    append()
    monkeypatch.setattr(tasks, "_TURN_SECONDS", 30.0)
    run_batch, woken = runner.run_batch, iter([True, True])

    def run_and_be_woken(*arguments: Any, **options: Any) -> Any:
        batch = run_batch(*arguments, **options)
        if next(woken, False):
            append()
            wakeups.projections.wake("payment_summary")
        return batch

    monkeypatch.setattr(runner, "run_batch", run_and_be_woken)
    tasks.project("payment_summary")
    assert PaymentSummary.objects.count() == 3


@pytest.mark.slow
def test_task_retries_later_if_the_horizon_is_held(queue: redis.Redis) -> None:
    from tests.support.raw_appends import insert

    with session() as writer:
        writer.execute("BEGIN")
        insert(writer)
        append()
        tasks.project("payment_summary")
        assert not PaymentSummary.objects.exists()
        assert wakeups.projections.is_woken("payment_summary")
    assert published(queue, at_least=1) == 1
    tasks.project("payment_summary")
    assert PaymentSummary.objects.count() == 2


def test_beat_projects_after_lost_wake_ups() -> None:
    append()
    tasks.project_all()
    assert PaymentSummary.objects.count() == 1


def test_worker_continues_after_a_lost_connection() -> None:
    """Celery keeps a connection for five hundred tasks. With a lost one, each would fail."""
    append()
    with session() as other:
        other.execute(
            "SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid]
        )
    assert expire_reviews.apply().successful()
    tasks.project_all.apply()
    check_read_models()


def test_beat_leaves_no_key_that_suppresses_wake_ups(queue: redis.Redis) -> None:
    wakeups.projections.wake(*PROJECTIONS)
    tasks.project_all()
    assert queue.keys("wake:*") == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_command_does_not_wait_for_a_broker_that_is_away(
    own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The announcer publishes in its own thread."""
    monkeypatch.setattr(wakeups, "_valkey", Connection(own_valkey.url()))
    getattr(own_valkey, fault)()
    client = ApiClient()
    for _ in range(30):
        began = time.monotonic()
        assert client.submit().status_code == 201
        assert time.monotonic() - began < 0.5
    began = time.monotonic()
    wakeups.projections.clear("payment_summary")
    assert not wakeups.projections.is_woken("payment_summary")
    assert time.monotonic() - began < 1


@pytest.mark.slow
def test_broker_that_dies_in_any_phase_of_a_task_loses_nothing(
    own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in itertools.count(1):
        calls = itertools.count(1)

        class Dying(Connection):
            def ask(self, *command: str | float, calls: Any = calls, number: int = number) -> Any:
                if next(calls) == number:
                    own_valkey.kill()
                return super().ask(*command)

        append()
        with monkeypatch.context() as dying:
            dying.setattr(wakeups, "_valkey", Dying(own_valkey.url()))
            tasks.project("payment_summary")
        check_read_models([PROJECTIONS["payment_summary"]])
        assert PaymentSummary.objects.count() == number
        assert "is stalled" not in caplog.text
        if next(calls) <= number:
            break
        own_valkey.start()
    assert number > 2, "a task asks the broker more often than that"


def test_acknowledgement_without_a_broker_raises_a_connection_error() -> None:
    """Celery's worker survives a ConnectionError, but not the AttributeError that kombu raises."""
    connection = current_app.connection_for_read()
    channel: Any = connection.default_channel
    connection.collect()
    with pytest.raises(redis.ConnectionError):
        channel.qos.ack("an unacknowledged task")
