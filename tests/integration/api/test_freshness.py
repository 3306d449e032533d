"""Reads with X-Min-Position wait for the projection, or report why they cannot."""

import threading
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from msgspec.structs import replace

from payments.events.reading import horizon
from readmodels.api import freshness
from readmodels.engine import parking, runner
from readmodels.models import Checkpoint
from readmodels.projections import daily_statistics, payment_summary
from readmodels.projections.kinds import Counters, Rows
from tests.support.api import PAYMENTS, ApiClient, body_of, document, project
from tests.support.concurrency import at_once, session
from tests.support.examples import OPERATOR
from tests.support.raw_appends import insert

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SUMMARY, STATISTICS = payment_summary.PROJECTION, daily_statistics.PROJECTION
ONE = PAYMENTS + "/{payment}"
READS: dict[str, Rows | Counters] = {
    PAYMENTS: SUMMARY,
    ONE: SUMMARY,
    "/api/v1/customers/customer-123/payments": SUMMARY,
    "/api/v1/statistics/daily?date={today}": STATISTICS,
}


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


def submitted(client: ApiClient) -> tuple[str, int]:
    """Submit a payment. Return its id and the position from the answer."""
    answer = client.submit()
    return body_of(answer)["id"], int(answer["X-Event-Position"])


def read(client: ApiClient, path: str, position: object, payment: str = "") -> Any:
    today = timezone.now().date()
    address = path.format(payment=payment, today=today)
    return client.get(address, **{"X-Min-Position": str(position)})


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, body_of(answer)["code"]


@pytest.mark.parametrize("path", READS)
def test_min_position_waits_for_the_projection(acme: ApiClient, path: str) -> None:
    payment, position = submitted(acme)
    worker = threading.Timer(0.1, at_once, (1, lambda _: runner.catch_up(READS[path])))
    worker.start()
    began = time.monotonic()
    answer = read(acme, path, position, payment)
    took = time.monotonic() - began
    worker.join()

    assert answer.status_code == 200
    assert took > 0.09
    assert b"1999" in answer.content


@pytest.mark.parametrize("path", READS)
def test_min_position_answers_503_after_waiting(acme: ApiClient, path: str) -> None:
    project()
    payment, position = submitted(acme)
    began = time.monotonic()

    answer = read(acme, path, position, payment)

    assert 0.3 <= time.monotonic() - began < 1
    assert problem(answer) == (503, "projection_behind")
    assert answer["Retry-After"] == "1"
    assert READS[path].name in body_of(answer)["detail"]


def test_min_position_does_not_wait_if_already_reached(acme: ApiClient) -> None:
    payment, position = submitted(acme)
    project()
    for path in READS:
        for wanted in (0, 1, position):
            began = time.monotonic()
            assert read(acme, path, wanted, payment).status_code == 200
            assert time.monotonic() - began < 0.2


def test_min_position_applies_to_head_and_not_to_commands(acme: ApiClient) -> None:
    _, position = submitted(acme)
    headers = {"X-Min-Position": str(position)}
    assert acme.send("HEAD", PAYMENTS, b"", **headers).status_code == 503
    body = {"amount": 1, "currency": "EUR", "method": "wallet", "customer_id": "ann"}
    assert acme.post(PAYMENTS, body, **headers).status_code == 201


def test_min_position_beyond_the_log_is_refused(acme: ApiClient) -> None:
    """Without the refusal, a request would wait for another client's event."""
    payment, position = submitted(acme)
    project()
    for path in READS:
        for beyond in (horizon.last_position() + 1, 10**19 - 1, 2**63):
            answer = read(acme, path, beyond, payment)
            assert problem(answer) == (400, "invalid_request")
            (error,) = body_of(answer)["errors"]
            assert (error["field"], error["code"]) == ("X-Min-Position", "out_of_range")
    assert horizon.last_position() == position


@pytest.mark.parametrize("given", ["", "-1", "1.5", "1, 2", "x", "\u0661", "0x10", "9" * 20, " "])
def test_min_position_that_is_not_a_number_is_refused(acme: ApiClient, given: str) -> None:
    answer = read(acme, PAYMENTS, given)
    assert problem(answer) == (400, "invalid_request")
    (error,) = body_of(answer)["errors"]
    assert (error["field"], error["code"]) == ("X-Min-Position", "wrong_format")


def test_min_position_does_not_wait_for_a_stalled_projection(acme: ApiClient) -> None:
    project()
    _, position = submitted(acme)
    for wrong in ({"error": "UnreadableEvent: ..."}, {"error": "", "version": 99}):
        Checkpoint.objects.filter(name=SUMMARY.name).update(**wrong)
        began = time.monotonic()
        answer = read(acme, PAYMENTS, position)
        assert problem(answer) == (503, "projection_behind")
        assert answer["Retry-After"] == "60"
        assert time.monotonic() - began < 0.2


def park(path: str) -> None:
    """Let the projection that `path` reads fail on the next event, which is then parked."""

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    if READS[path] is SUMMARY:
        runner.catch_up(replace(SUMMARY, fold=broken))
    else:
        runner.catch_up(replace(STATISTICS, delta=broken))


@pytest.mark.parametrize("path", READS)
def test_min_position_reports_a_parked_event(acme: ApiClient, path: str) -> None:
    earlier, before = submitted(acme)
    project()
    payment, position = submitted(acme)
    park(path)
    answer = read(acme, path, position, payment)
    assert problem(answer) == (503, "projection_parked")
    assert answer["Retry-After"] == "60"
    # Positions before the parked event are complete.
    assert read(acme, path, before, earlier).status_code == 200
    if path == ONE:
        assert read(acme, path, position, earlier).status_code == 200
        acme.submit()
        project()
        assert problem(read(acme, path, horizon.last_position(), payment))[0] == 503
    parking.retry(READS[path], UUID(payment), by=OPERATOR)
    assert read(acme, path, position, payment).status_code == 200


@pytest.mark.parametrize("path", READS)
def test_min_position_ignores_parked_events_of_other_clients(acme: ApiClient, path: str) -> None:
    payment, position = submitted(acme)
    park(path)

    answer = read(ApiClient("Bolt"), path, position, payment)

    assert answer.status_code == (404 if path == ONE else 200)
    assert read(acme, ONE, position, str(uuid4())).status_code in {404, 503}


def test_min_position_limits_the_waiting_requests(
    acme: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the semaphore, waiting requests would occupy every thread of the server."""
    monkeypatch.setattr(freshness, "_waiting", threading.BoundedSemaphore(2))
    project()
    _, position = submitted(acme)
    read(acme, PAYMENTS, 0)

    def timed(_: int) -> float:
        began = time.monotonic()
        assert problem(read(acme, PAYMENTS, position)) == (503, "projection_behind")
        return time.monotonic() - began

    took = sorted(at_once(8, timed))
    assert [each >= 0.3 for each in took] == [False] * 6 + [True] * 2
    assert min(at_once(2, timed)) >= 0.3  # the waiting requests have ended
    project()
    assert read(acme, PAYMENTS, position).status_code == 200


def test_min_position_may_occupy_a_quarter_of_the_threads(settings: Any) -> None:
    assert settings.WEB_THREADS == 4
    assert freshness._waiting._initial_value == 1  # type: ignore[attr-defined]


def test_no_transaction_is_open_while_a_read_waits(acme: ApiClient) -> None:
    """An open transaction would hold back the vacuum. With a snapshot, it would see no progress."""
    project()
    _, position = submitted(acme)
    states: list[Any] = []

    def watch() -> None:
        time.sleep(0.1)
        with session() as other:
            states.extend(
                other.execute(
                    "SELECT state FROM pg_stat_activity WHERE datname = current_database()"
                    " AND query LIKE '%readmodels_checkpoint%' AND pid <> pg_backend_pid()"
                ).fetchall()
            )

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert read(acme, PAYMENTS, position).status_code == 503
    watcher.join()
    assert states
    assert ("idle in transaction",) not in states


def test_min_position_in_a_gap_at_the_end_of_the_log_is_behind(acme: ApiClient) -> None:
    """A rolled-back append uses up a position. Projections pass it only with the next event."""
    project()
    with session() as writer:
        writer.execute("BEGIN")
        lost = insert(writer)
        writer.execute("ROLLBACK")

    assert problem(read(acme, PAYMENTS, lost)) == (503, "projection_behind")


def test_document_describes_min_position() -> None:
    operations = [each["get"] for each in document()["paths"].values() if "get" in each]
    waiting = [
        each["operationId"]
        for each in operations
        if "X-Min-Position" in {parameter["name"] for parameter in each.get("parameters", ())}
    ]
    assert sorted(waiting) == [
        "list_customer_payments",
        "list_disputes",
        "list_payments",
        "read_daily_statistics",
        "read_payment",
    ]
    for each in operations:
        described = "projection_parked" in each["responses"]["503"]["description"]
        assert described == (each["operationId"] in waiting)
