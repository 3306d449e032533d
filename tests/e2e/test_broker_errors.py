"""Valkey that answers with errors: nothing ends, payments are taken, and everything goes on afterwards."""

import time
from typing import Final

import pytest
import redis

from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.e2e.brokers import failing
from tests.e2e.service import Service, service, wait_for
from tests.e2e.test_faults import all_projected

pytestmark = pytest.mark.slow

# What servers say that are full, starting, demoted, failing over, locked or asked by a stranger.
ERRORS: Final = (
    "OOM command not allowed when used memory > 'maxmemory'.",
    "READONLY You can't write against a read only replica.",
    "LOADING Valkey is loading the dataset in memory",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "MISCONF Errors writing to the AOF file: No space left on device",
    "NOAUTH Authentication required.",
    "NOPERM User default has no permissions to run the 'brpop' command",
    "BUSY Valkey is busy running a script.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "FAILOVER in progress",
    "ERR max number of clients reached",
)


def test_errors_of_the_broker_end_no_process(own_postgres: Postgres, own_valkey: Valkey) -> None:
    """OOM, READONLY and UNBLOCKED ended the worker, and `make run` with it."""
    with (
        failing(own_valkey) as proxy,
        service(own_postgres, own_valkey, REDIS_URL=proxy.url) as running,
    ):
        running.start_web()
        running.start_worker()
        running.start_beat()
        assert running.post()[0] == 201
        wait_for(lambda: all_projected(running))
        for error in ERRORS:
            proxy.error = error
            until = time.monotonic() + 3
            while time.monotonic() < until:
                status, _, seconds = running.post()
                assert (status, seconds < 2) == (201, True), error
                time.sleep(0.2)
            assert running.get("/readyz")[1]["broker"] == "away", error
            assert running.ended() == [], error
            proxy.error = None
            wait_for(lambda: all_projected(running))
            wait_for(lambda: running.get("/readyz")[1]["broker"] == "ok")
        assert [line for line in running.log("celery") if "exception" in line] == []


def test_a_valkey_that_is_full_or_demoted_ends_no_process(
    own_postgres: Postgres, own_valkey: Valkey
) -> None:
    with service(own_postgres, own_valkey) as running:
        running.start_web()
        running.start_worker()
        running.start_beat()
        assert running.post()[0] == 201
        wait_for(lambda: all_projected(running))
        with redis.Redis.from_url(own_valkey.url()) as administrator:
            for fault in (full, demoted):
                fault(administrator, begins=True)
                for _ in range(20):
                    assert running.post()[0] == 201
                    time.sleep(0.2)
                assert running.get("/readyz")[1]["broker"] == "away"
                assert running.ended() == []
                fault(administrator, begins=False)
                wait_for(lambda: all_projected(running))


def test_a_worker_goes_on_after_tasks_that_it_could_not_acknowledge(
    own_postgres: Postgres, own_valkey: Valkey
) -> None:
    """After the first lost connection, too, which has kombu reset its event loop."""
    with service(own_postgres, own_valkey) as running:
        running.start_web()
        running.start_worker()
        running.start_beat()
        with redis.Redis.from_url(own_valkey.url()) as administrator:
            # As many more as a worker of two processes may have at once.
            for failed in (2, 4):
                assert running.post()[0] == 201
                wait_for(lambda: all_projected(running))
                administrator.execute_command("ACL", "SETUSER", "default", "-zrem")
                await_failed_acknowledgements(running, failed)
                administrator.execute_command("ACL", "SETUSER", "default", "+zrem")
                assert running.post()[0] == 201
                wait_for(lambda: all_projected(running))
        assert running.ended() == []


def await_failed_acknowledgements(running: Service, count: int) -> None:
    wait_for(lambda: sum("Couldn't ack" in str(line) for line in running.log("celery")) >= count)


def full(administrator: "redis.Redis", *, begins: bool) -> None:
    administrator.config_set("maxmemory", 1 if begins else 0)


def demoted(administrator: "redis.Redis", *, begins: bool) -> None:
    administrator.replicaof(*(("127.0.0.1", "1") if begins else ("NO", "ONE")))
