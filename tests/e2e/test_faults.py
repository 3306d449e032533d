"""The service while its servers and processes are killed, frozen and restarted."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.service import Service, kill_with_children, wait_for, whole_service

pytestmark = pytest.mark.slow

EVENTS = "SELECT count(*) FROM events_event"
PROJECTED = "SELECT count(*) FROM readmodels_paymentsummary"
COUNTED = "SELECT coalesce(sum(total_count), 0) FROM readmodels_dailystatistics"
COMPLETED = "SELECT coalesce(sum(completed_count), 0) FROM readmodels_dailystatistics"


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    """A service that all tests share, because it recovers from each fault."""
    with whole_service(durable=True) as running:
        yield running


def all_projected(running: Service) -> bool:
    payments = int(running.query(EVENTS)) // 2
    return bool(
        int(running.query(PROJECTED))
        == int(running.query(COUNTED))
        == int(running.query(COMPLETED))
        == payments
    )


def test_payment_is_projected_after_a_moment(running: Service) -> None:
    status, payment, _ = running.post()
    assert status == 201
    wait_for(lambda: all_projected(running))
    listed = running.get("/api/v1/payments")[1]["payments"]
    assert payment["id"] in [each["id"] for each in listed]
    status, ready = running.get("/readyz")
    assert (status, ready["broker"]) == (200, "ok")


@pytest.mark.parametrize("fault", ["stop", "kill", "freeze"])
def test_payments_are_accepted_without_valkey_and_projected_later(
    running: Service, fault: str
) -> None:
    """Without timeouts, publishing or the throttle would block requests while Valkey is frozen."""
    running.post()
    wait_for(lambda: all_projected(running))
    getattr(running.valkey, fault)()
    for _ in range(20):
        status, _, seconds = running.post()
        assert (status, seconds < 1) == (201, True)
    assert running.get("/readyz")[1]["broker"] == "away"
    if fault == "freeze":
        running.valkey.thaw()
    else:
        running.valkey.start()
    wait_for(lambda: all_projected(running))


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_after_a_restart_of_postgresql_no_request_fails(running: Service, how: str) -> None:
    """A thread that did not check its connection would fail once or permanently."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: running.post(), range(40)))  # until every thread has a connection
        getattr(running.postgres, how)()
        assert running.post()[0] == 503
        running.postgres.start()
        answers = list(pool.map(lambda _: running.post(), range(40)))
        assert [status for status, _, _ in answers] == [201] * 40
    wait_for(lambda: all_projected(running))


def test_answered_payments_survive_a_crash(running: Service) -> None:
    answered = []
    for _ in range(30):
        status, payment, _ = running.post()
        assert status == 201
        answered.append(payment["id"])
    running.postgres.kill()
    running.postgres.start()
    wait_for(lambda: running.get("/readyz")[0] == 200)
    for payment_id in answered:
        assert running.get(f"/api/v1/payments/{payment_id}")[0] == 200


@pytest.mark.nightly
def test_killed_worker_counts_nothing_twice(running: Service) -> None:
    """If the checkpoint had its own transaction, the sums would be too high after a kill."""
    kill_with_children(running.worker)
    before = int(running.query(EVENTS))
    done = threading.Event()

    def submit() -> None:
        while not done.is_set():
            assert running.post()[0] == 201

    with ThreadPoolExecutor(2) as pool:
        submitting = [pool.submit(submit) for _ in range(2)]
        for pause in (1.5, 1.7, 1.9, 2.1, 2.3):
            worker = running.start_worker()
            time.sleep(pause)
            kill_with_children(worker)
        done.set()
        for each in submitting:
            each.result()
    running.start_worker()
    wait_for(lambda: all_projected(running))
    assert int(running.query(EVENTS)) - before > 200
