"""Following the list of payments with `ordering=position`."""

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.utils import timezone
from msgspec.structs import replace

from readmodels.engine import parking, runner
from readmodels.engine.runner import catch_up
from readmodels.models import Checkpoint
from readmodels.projections import payment_summary
from tests.support.api import PAYMENTS, ApiClient, body_of, project
from tests.support.concurrency import session
from tests.support.example_events import encoded, initiated, processed
from tests.support.examples import OPERATOR
from tests.support.poison import append, raises, spoiled
from tests.support.raw_appends import INSERT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SUMMARY = payment_summary.PROJECTION
LIST = f"{PAYMENTS}?ordering=position"
CUSTOMER = "/api/v1/customers/customer-123/payments?ordering=position"


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


def ids(page: Any) -> list[str]:
    return [payment["id"] for payment in page["payments"]]


def page(client: ApiClient, path: str, cursor: str | None = None) -> Any:
    answer = client.get(path + (f"&cursor={cursor}" if cursor else ""))
    assert answer.status_code == 200, answer.content
    return body_of(answer)


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, body_of(answer)["code"]


@pytest.mark.parametrize("path", [LIST, CUSTOMER, f"{LIST}&currency=EUR&amount_min=1"])
def test_followed_list_continues_after_its_last_page(acme: ApiClient, path: str) -> None:
    first = page(acme, path)
    assert (first["payments"], bool(first["next"])) == ([], True)
    submitted = [body_of(acme.submit())["id"] for _ in range(5)]
    project()

    pages = [page(acme, f"{path}&limit=2", first["next"])]
    while pages[-1]["payments"]:
        pages.append(page(acme, f"{path}&limit=2", pages[-1]["next"]))

    assert [id_ for each in pages for id_ in ids(each)] == submitted
    assert pages[-1]["next"] == pages[-2]["next"]
    later = body_of(acme.submit())["id"]
    project()
    assert ids(page(acme, path, pages[-1]["next"])) == [later]


def test_payment_stays_listed_at_its_first_position(acme: ApiClient) -> None:
    first, second = (body_of(acme.submit())["id"] for _ in range(2))
    acme.post(f"{PAYMENTS}/{first}/refunds", {"reason": "other"})
    project()

    found = page(acme, LIST)

    assert ids(found) == [first, second]
    assert found["payments"][0]["status"] == "refunded"
    assert page(acme, LIST, found["next"])["payments"] == []


@pytest.mark.parametrize("filter_", ["status=completed", "requires_review=true"])
def test_followed_list_refuses_filters_on_changing_fields(acme: ApiClient, filter_: str) -> None:
    answer = acme.get(f"{LIST}&{filter_}")
    assert refusal(answer) == (400, "invalid_request")
    (error,) = body_of(answer)["errors"]
    assert (error["field"], error["code"]) == (filter_.partition("=")[0], "not_with_ordering")


def test_cursors_of_other_orderings_are_refused(acme: ApiClient) -> None:
    for _ in range(2):
        acme.submit()
    project()
    by_time = page(acme, f"{PAYMENTS}?limit=1")["next"]
    by_position = page(acme, f"{LIST}&limit=1")["next"]

    for path, cursor in ((LIST, by_time), (f"{PAYMENTS}?ordering=created_at", by_position)):
        answer = acme.get(f"{path}&cursor={cursor}")
        assert refusal(answer) == (400, "invalid_request")


def submitted_in_order(client: ApiClient, *customers: str) -> list[str]:
    return [body_of(client.submit(customer_id=customer))["id"] for customer in customers]


def park(payment: str) -> None:
    """Make the read model fail on the payment's first event, then apply later events."""
    broken = spoiled(SUMMARY, raises, lambda record: str(record.aggregate_id) == payment)
    catch_up(broken)


def test_followed_list_stops_before_a_parked_payment(acme: ApiClient) -> None:
    one, parked, two = submitted_in_order(acme, "a", "b", "a")
    park(parked)

    first = page(acme, LIST)
    answer = acme.get(f"{LIST}&cursor={first['next']}")

    assert ids(first) == [one]
    assert refusal(answer) == (503, "projection_parked")
    assert answer["Retry-After"] == "60"
    # The parked event does not stop the lists of other customers and clients.
    assert ids(page(acme, CUSTOMER.replace("customer-123", "a"))) == [one, two]
    stranger = ApiClient("Bert")
    others = submitted_in_order(stranger, "c")
    project()
    assert ids(page(stranger, LIST)) == others
    parking.retry(SUMMARY, UUID(parked), by=OPERATOR)
    assert ids(page(acme, LIST, first["next"])) == [parked, two]


def test_followed_list_continues_past_a_later_parked_event(acme: ApiClient) -> None:
    one, two = submitted_in_order(acme, "a", "b")
    project()
    acme.post(f"{PAYMENTS}/{one}/refunds", {"reason": "other"})
    park(one)

    assert ids(page(acme, LIST)) == [one, two]


def test_payment_is_listed_at_its_next_event_after_a_discard(acme: ApiClient) -> None:
    """The payment's first two events are parked, because the second cannot be applied alone."""
    one, parked, two = submitted_in_order(acme, "a", "b", "c")
    park(parked)
    first = page(acme, LIST)
    position = parking_position(parked)
    broken = spoiled(SUMMARY, raises, lambda record: record.version == 2)

    parking.discard(broken, position, reason="A test.", by=OPERATOR, at=timezone.now())

    assert refusal(acme.get(f"{LIST}&cursor={first['next']}")) == (503, "projection_parked")
    parking.retry(SUMMARY, UUID(parked), by=OPERATOR)
    assert ids(page(acme, LIST, first["next"])) == [parked, two]
    assert ids(first) == [one]


def parking_position(payment: str) -> int:
    with session() as other:
        row = other.execute(
            "SELECT min(position) FROM readmodels_parkedevent WHERE aggregate_id = %s", (payment,)
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_followed_list_is_refused_on_a_table_of_older_code(acme: ApiClient) -> None:
    """Rows that older code wrote lack the position of the first event."""
    acme.submit()
    runner.catch_up(replace(SUMMARY, version=SUMMARY.version - 1))

    answer = acme.get(LIST)

    assert Checkpoint.objects.get(name=SUMMARY.name).version == SUMMARY.version - 1
    assert refusal(answer) == (503, "projection_behind")
    assert "rebuilt" in body_of(answer)["detail"]


class Reader(threading.Thread):
    """Read pages until stopped, then until a page is empty."""

    def __init__(self, read_page: Callable[[], list[str]]) -> None:
        super().__init__()
        self._read_page = read_page
        self._ending = threading.Event()
        self.seen: list[str] = []
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while True:
                last_time = self._ending.is_set()
                found = self._read_page()
                self.seen += found
                if last_time and not found:
                    return
                self._ending.wait(0 if found else 0.01)
        except Exception as error:  # noqa: BLE001 - finish() raises it
            self.error = error
        finally:
            connections.close_all()

    def finish(self) -> list[str]:
        self._ending.set()
        self.join(60)
        if self.error is not None:
            raise self.error
        return self.seen


def by_position(client: ApiClient) -> Callable[[], list[str]]:
    cursor: str | None = None

    def read_page() -> list[str]:
        nonlocal cursor
        found = page(client, f"{LIST}&limit=100", cursor)
        cursor = found["next"]
        return ids(found)

    return read_page


def by_time(client: ApiClient) -> Callable[[], list[str]]:
    """Return a reader that continues from the last payment's time. That is unsafe."""
    last: dict[str, str] = {"from": "2000-01-01", "id": ""}

    def read_page() -> list[str]:
        path = f"{PAYMENTS}?ordering=created_at&limit=100&from={last['from']}"
        found = [each for each in page(client, path)["payments"] if each["id"] != last["id"]]
        if found:
            last.update({"from": found[-1]["created_at"], "id": found[-1]["id"]})
        return [each["id"] for each in found]

    return read_page


def write(client: ApiClient, payment: UUID, chance: random.Random) -> None:
    """Append a payment in a transaction that stays open for a while, as a busy machine would."""
    at: datetime = timezone.now()
    event = initiated(client_id=client.client_id, at=at, initiated_at=at)
    with session() as writer, writer.transaction():
        time.sleep(chance.choice([0, 0.02, 0.2]))
        writer.execute(INSERT, {"stream": payment, "data": encoded(event)})
        time.sleep(chance.choice([0, 0.01, 0.1, 0.3]))


@pytest.mark.slow
def test_followed_list_misses_no_payment_committed_out_of_order(
    acme: ApiClient, *, long: bool
) -> None:
    """A reader that follows `created_at` instead misses some payments of the same traffic."""
    payments, chance = [uuid4() for _ in range(2_000 if long else 100)], random.Random(1)
    done = threading.Event()

    def work() -> None:
        try:
            while not done.is_set():
                runner.run_batch(SUMMARY)
                done.wait(0.005)
        finally:
            connections.close_all()

    worker = threading.Thread(target=work)
    followers = [Reader(by_position(acme)), Reader(by_time(acme))]
    for thread in (worker, *followers):
        thread.start()
    try:
        writers = []
        for start in range(0, len(payments), 10):
            burst = [
                threading.Thread(target=write, args=(acme, payment, random.Random(chance.random())))
                for payment in payments[start : start + 10]
            ]
            for thread in burst:
                thread.start()
            writers += burst
            time.sleep(0.2)
        for thread in writers:
            thread.join()
    finally:
        done.set()
        worker.join()
        project()
        followed, guessed = (follower.finish() for follower in followers)

    assert sorted(followed) == sorted(map(str, payments))
    assert len(followed) == len(set(followed))
    missed = len(payments) - len(set(guessed))
    print(f"Following created_at missed {missed} of {len(payments)}.")
    assert missed > 0


def test_imported_payment_is_listed_where_the_log_has_it(acme: ApiClient) -> None:
    """The payment's time is old: a client that follows times has already passed it."""
    one = body_of(acme.submit())["id"]
    late = uuid4()
    append(late, initiated(client_id=acme.client_id), processed(client_id=acme.client_id))
    project()

    assert ids(page(acme, LIST)) == [one, str(late)]
