"""The service during and after errors from Valkey."""

import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest
import redis

from config.stack.valkey import Valkey
from tests.e2e.brokers import FailingValkey, failing
from tests.e2e.service import Service, wait_for, whole_service
from tests.e2e.test_faults import all_projected
from tests.support import clusters

pytestmark = pytest.mark.slow

ENDED_THE_WORKER: Final = (
    "OOM command not allowed when used memory > 'maxmemory'.",
    "READONLY You can't write against a read only replica.",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
)
OTHERS: Final = (
    "LOADING Valkey is loading the dataset in memory",
    "MISCONF Errors writing to the AOF file: No space left on device",
    "NOAUTH Authentication required.",
    "NOPERM User default has no permissions to run the 'brpop' command",
    "BUSY Valkey is busy running a script.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "FAILOVER in progress",
    "ERR max number of clients reached",
)


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with clusters.valkey() as server:
        yield server


@pytest.fixture(scope="module")
def broker(valkey: Valkey) -> Iterator[FailingValkey]:
    with failing(valkey) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def running(valkey: Valkey, broker: FailingValkey) -> Iterator[Service]:
    """A service that all tests share, because it recovers from each error."""
    with whole_service(REDIS_URL=broker.url) as running:
        assert running.post()[0] == 201
        wait_for(lambda: all_projected(running))
        yield running


@pytest.mark.parametrize(
    "error",
    [*ENDED_THE_WORKER, *(pytest.param(error, marks=pytest.mark.nightly) for error in OTHERS)],
)
def test_broker_errors_end_no_process(running: Service, broker: FailingValkey, error: str) -> None:
    logged = len(running.log("celery"))

    broker.error = error
    until = time.monotonic() + 3
    while time.monotonic() < until:
        status, _, seconds = running.post()
        assert (status, seconds < 2) == (201, True)
        time.sleep(0.2)

    assert running.get("/readyz")[1]["broker"] == "away"
    assert running.ended() == []
    broker.error = None
    wait_for(lambda: all_projected(running))
    wait_for(lambda: running.get("/readyz")[1]["broker"] == "ok")
    assert [line for line in running.log("celery")[logged:] if "exception" in line] == []


def full(administrator: "redis.Redis", *, begins: bool) -> None:
    administrator.config_set("maxmemory", 1 if begins else 0)


def demoted(administrator: "redis.Redis", *, begins: bool) -> None:
    administrator.replicaof(*(("127.0.0.1", "1") if begins else ("NO", "ONE")))


@pytest.mark.parametrize("fault", [full, demoted])
def test_full_or_demoted_valkey_ends_no_process(
    running: Service, valkey: Valkey, fault: Callable[..., None]
) -> None:
    with redis.Redis.from_url(valkey.url()) as administrator:
        fault(administrator, begins=True)
        for _ in range(10):
            assert running.post()[0] == 201
            time.sleep(0.2)

        assert running.get("/readyz")[1]["broker"] == "away"
        assert running.ended() == []
        fault(administrator, begins=False)
        wait_for(lambda: all_projected(running))


def test_worker_continues_after_failed_acknowledgements(running: Service, valkey: Valkey) -> None:
    """Regression: kombu reset its event loop after the first of two lost connections."""
    with redis.Redis.from_url(valkey.url()) as administrator:
        for _ in range(2):
            assert running.post()[0] == 201
            wait_for(lambda: all_projected(running))
            failed = failed_acknowledgements(running)
            administrator.execute_command("ACL", "SETUSER", "default", "-zrem")
            # A worker with two processes holds at most two tasks.
            wait_for(lambda failed=failed: failed_acknowledgements(running) >= failed + 2)  # type: ignore[misc]
            administrator.execute_command("ACL", "SETUSER", "default", "+zrem")
            assert running.post()[0] == 201
            wait_for(lambda: all_projected(running))
    assert running.ended() == []


def failed_acknowledgements(running: Service) -> int:
    return sum("Couldn't ack" in str(line) for line in running.log("celery"))
