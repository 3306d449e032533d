"""One request followed by its id: from HTTP through the event log into the worker's log."""

from functools import partial

import pytest

from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.e2e.service import Service, service, wait_for

pytestmark = pytest.mark.slow

IDS = {"X-Request-ID": "request-7", "X-Correlation-ID": "checkout-981"}


def test_a_request_is_found_in_the_log_of_events_and_in_that_of_the_worker(
    own_postgres: Postgres, own_valkey: Valkey
) -> None:
    with service(own_postgres, own_valkey, REQUEST_LOG_LEVEL="INFO") as running:
        running.start_web()
        running.start_worker()
        status, payment, _ = running.post(IDS)
        assert status == 201
        read = "SELECT count(*) FROM readmodels_paymentsummary"
        wait_for(lambda: bool(running.query(read) == 1))

        # Who caused what, for whoever looks at the payment,
        history = running.manage("payment", payment["id"])
        for told in ("request-7", "checkout-981", "Acme"):
            assert told in history

        # and which work came of it, for whoever looks at the logs.
        ids = {"request_id": "request-7", "correlation_id": "checkout-981"}
        for program, event in (("granian", "request_finished"), ("celery", "task_succeeded")):
            wait_for(partial(_told, running, program, event, ids))


def _told(running: Service, program: str, event: str, ids: dict[str, str]) -> bool:
    return any(
        line["event"] == event and ids.items() <= line.items() for line in running.log(program)
    )
