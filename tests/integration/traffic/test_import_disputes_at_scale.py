"""Imports of many disputes: batches, round trips, memory, concurrency."""

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db.models import Count

from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.payment.events import (
    AnyPaymentEvent,
)
from payments.events import batches
from payments.events.batches import Append
from payments.events.metadata import Metadata
from payments.events.models import Event
from payments.traffic import dispute_importing, lines
from payments.traffic.dispute_rows import FIELDS
from payments.traffic.layout import Layout
from tests.integration.traffic.test_import_disputes import HEADER, counts, run, write
from tests.support.concurrency import at_once
from tests.support.example_events import initiated, processed
from tests.support.killing import killed_after
from tests.support.roundtrips import round_trips

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_concurrent_imports_add_each_notice_once() -> None:
    payments = many_payments(400)
    path = notices_of(payments)
    events = Event.objects.count()

    def import_(number: int) -> int:
        return counts(run(path, f"--rejects=refused-{number}"))[0]

    assert sum(at_once(2, import_)) == 1_200
    assert Event.objects.count() == events + 1_200


def test_killed_import_is_completed_by_a_second_run() -> None:
    path = notices_of(many_payments(1_000))
    before = Event.objects.count()

    for _ in range(2):
        killed_after(600, "import_disputes", str(path))
    killed = Event.objects.count() - before
    report = run(path)

    assert 1_200 <= killed < 3_000
    assert counts(report) == (3_000 - killed, killed, 0)
    notices = Event.objects.filter(version__gt=2).values("aggregate_id", "event_type")
    assert [each["count"] for each in notices.annotate(count=Count("position"))] == [1] * 3_000


def many_payments(count: int) -> list[UUID]:
    """Return `count` completed payments of USD 100.00."""
    payments = [uuid4() for _ in range(count)]
    events: list[AnyPaymentEvent] = [initiated(), processed()]
    by_test = Metadata(actor="system:test", command="process_payment")
    for first in range(0, count, 1_000):
        batches.append_streams(
            PAYMENT_AGGREGATE,
            [Append(each, events, by_test) for each in payments[first : first + 1_000]],
        )
    return payments


def notices_of(payments: list[UUID]) -> Path:
    """Write a file with an opening, an update and a close for each payment, out of order."""
    return write(*_notices(payments), header=f"{HEADER[:-1]},comment\n")


def _notices(payments: list[UUID]) -> Iterator[str]:
    first = datetime(2026, 2, 1, tzinfo=UTC)
    # The notices of a dispute are far apart, and its close comes before its update.
    for step in (0, 2, 1):
        for number, payment in enumerate(payments):
            at = first + timedelta(days=step, seconds=number % 1_000)
            head = f",,{payment},dp_{number},{('open', 'update', 'close')[step]},{at.isoformat()}"
            stated = "50.00,USD,chargeback,fraudulent,2026-03-01,,"
            end = "50.00,USD,,,,lost,50.00" if number % 3 else "50.00,USD,,,,won,"
            yield f'{head},{end if step == 2 else stated},"a, b"\n'


def imported(path: Path, *, dry_run: bool = False) -> tuple[int, int, int]:
    layout = Layout.of(lines.header(path), FIELDS, {}, {})

    def never(line: object, code: str, reason: str) -> None:
        raise AssertionError(reason)

    report = dispute_importing.import_file(path, layout, refuse=never, dry_run=dry_run)
    return report.accepted, report.known, report.refused


def test_import_takes_two_statements_for_a_batch_and_one_if_it_is_known() -> None:
    path = notices_of(many_payments(1_000))
    imported(path)  # this prepares the statements
    path = notices_of(many_payments(1_000))

    with round_trips() as dry:
        assert imported(path, dry_run=True) == (3_000, 0, 0)
    with round_trips() as first:
        assert imported(path) == (3_000, 0, 0)
    with round_trips() as again:
        assert imported(path) == (0, 3_000, 0)

    assert (dry.count, first.count, again.count) == (6, 2 * 6, 6)


@pytest.mark.parametrize("dry_run", [True, False])
def test_memory_of_an_import_does_not_grow_with_the_file(dry_run: bool) -> None:  # noqa: FBT001
    peaks = []
    for payments in (600, 1_200):
        path = notices_of(many_payments(payments))
        tracemalloc.start()
        imported(path, dry_run=dry_run)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < peaks[0] + 1_000_000


@pytest.mark.nightly
def test_import_of_100_000_lines_adds_each_notice_once() -> None:
    path = notices_of(many_payments(33_334))

    assert imported(path, dry_run=True) == (100_002, 0, 0)
    assert imported(path) == (100_002, 0, 0)
    assert imported(path) == (0, 100_002, 0)

    events = Event.objects.values("event_type").annotate(count=Count("position"))
    assert {each["event_type"]: each["count"] for each in events}[
        "payment.dispute_closed"
    ] == 33_334
    assert Event.objects.count() == 5 * 33_334
