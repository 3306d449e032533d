"""No payment is lost while PostgreSQL and Valkey fail under traffic."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.e2e.brokers import failing
from tests.e2e.service import Service, service, wait_for
from tests.e2e.test_faults import all_projected

pytestmark = pytest.mark.slow


class Traffic:
    """Clients that submit payments, each with its own API key, and record the answers."""

    def __init__(self, running: Service) -> None:
        self._running = running
        self.taken: list[str] = []
        self.refused: list[tuple[int, str]] = []

    @contextmanager
    def flowing(self) -> Iterator[None]:
        done = threading.Event()

        def submit() -> None:
            while not done.is_set():
                status, body, _ = self._running.post()
                if status == 201:
                    self.taken.append(body["id"])
                else:
                    self.refused.append((status, str(body.get("code"))))
                time.sleep(0.05)

        with ThreadPoolExecutor(3) as pool:
            clients = [pool.submit(submit) for _ in range(3)]
            try:
                yield
            finally:
                done.set()
            for client in clients:
                client.result()


def test_service_recovers_from_faults_under_traffic(
    own_postgres: Postgres, own_valkey: Valkey
) -> None:
    with (
        failing(own_valkey) as broker,
        service(own_postgres, own_valkey, REDIS_URL=broker.url) as running,
    ):
        running.start_web()
        running.start_worker()
        running.start_beat()
        wait_for(lambda: ready(running) == (200, "ok", "ok"))
        traffic = Traffic(running)
        with traffic.flowing():
            flows(running, traffic)
        terminate_all(running)
        with traffic.flowing():
            flows(running, traffic)
            assert traffic.refused == [], (
                "a request failed on a connection that the server had ended"
            )

            running.postgres.stop()
            wait_for(lambda: ready(running)[:2] == (503, "away"))
            running.postgres.start()
            flows(running, traffic)

            set_read_only(running, "on")
            wait_for(lambda: ready(running)[:2] == (503, "read_only"))
            wait_for(lambda: running.post()[0] == 503)
            set_read_only(running, "off")
            flows(running, traffic)

            for error in ("OOM command not allowed", "READONLY You can't write", "LOADING data"):
                broker.error = error
                wait_for(lambda: ready(running) == (200, "ok", "away"))
                wait_for_payments(traffic)
                broker.error = None
                flows(running, traffic)
        assert {code for _, code in traffic.refused} <= {"temporarily_unavailable"}
        assert running.ended() == []
        wait_for(lambda: all_projected(running))
        for payment in traffic.taken:
            assert running.get(f"/api/v1/payments/{payment}")[0] == 200


def ready(running: Service) -> tuple[int, str, str]:
    status, body = running.get("/readyz")
    return status, body.get("database", ""), body.get("broker", "")


def flows(running: Service, traffic: Traffic) -> None:
    """Wait until payments are accepted again and the service reports no problem."""
    wait_for_payments(traffic)
    wait_for(lambda: ready(running) == (200, "ok", "ok"))


def wait_for_payments(traffic: Traffic) -> None:
    taken = len(traffic.taken)
    wait_for(lambda: len(traffic.taken) > taken + 5)


def terminate_all(running: Service) -> None:
    with administrator(running) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND usename = 'service' AND state = 'idle'"
        )


def set_read_only(running: Service, value: str) -> None:
    with administrator(running) as session:
        session.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
        session.execute("SELECT pg_reload_conf()")


@contextmanager
def administrator(running: Service) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(running.postgres.url("postgres"), autocommit=True) as session:
        yield session
