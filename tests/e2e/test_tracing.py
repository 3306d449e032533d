"""Follow a request's id from HTTP through the event log to the worker's log."""

from functools import partial

import pytest

from tests.e2e.service import Service, wait_for, whole_service

pytestmark = pytest.mark.slow

IDS = {"X-Request-ID": "request-7", "X-Correlation-ID": "checkout-981"}


def test_request_id_is_in_the_event_log_and_the_workers_log() -> None:
    # On a service without other payments, because concurrent wake-ups of the worker are merged.
    with whole_service(REQUEST_LOG_LEVEL="INFO") as running:
        status, payment, _ = running.post(IDS)
        assert status == 201

        # The history of the payment shows who caused each event.
        history = running.manage("payment", payment["id"])
        for label in ("request-7", "checkout-981", "Acme"):
            assert label in history

        # The logs show the work that each process did for the request.
        ids = {"request_id": "request-7", "correlation_id": "checkout-981"}
        for program, event in (("granian", "request_finished"), ("celery", "task_succeeded")):
            wait_for(partial(_logged, running, program, event, ids))


def _logged(running: Service, program: str, event: str, ids: dict[str, str]) -> bool:
    return any(
        line["event"] == event and ids.items() <= line.items() for line in running.log(program)
    )
