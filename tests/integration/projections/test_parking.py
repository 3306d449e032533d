"""A parked event holds up the later events of its payment, but no other payments."""

from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from msgspec.structs import replace

from payments.aggregates import RecordedPaymentEvent
from payments.events.models import Event
from readmodels.engine import lag, parking, runner
from readmodels.models import DailyStatistics, DiscardedEvent, ParkedEvent, PaymentSummary
from readmodels.projections import PROJECTIONS, daily_statistics, payment_summary
from readmodels.projections.kinds import Counters, Rows
from tests.support.concurrency import session
from tests.support.example_events import (
    approved,
    flagged,
    initiated,
    processed,
    processed_after_approval,
)
from tests.support.examples import OPERATOR
from tests.support.poison import (
    NOON,
    POISONED,
    SOUND,
    SPOILERS,
    Spoiler,
    append,
    append_reviewed,
    raises,
    spoiled,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SUMMARY = payment_summary.PROJECTION
STATISTICS = daily_statistics.PROJECTION


def parked() -> list[tuple[UUID, int, int]]:
    rows = ParkedEvent.objects.order_by("position")
    return [(row.aggregate_id, row.version, row.attempts) for row in rows]


def rows() -> list[Any]:
    return [
        list(PaymentSummary.objects.order_by("pk").values_list()),
        list(DailyStatistics.objects.order_by("pk").values_list()),
    ]


@pytest.fixture(params=[SUMMARY, STATISTICS], ids=["rows", "counters"])
def projection(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("limit", [1, 3, 1_000])
@pytest.mark.parametrize("spoiler", SPOILERS)
def test_failed_event_parks_later_ones_of_its_aggregate_only(
    projection: Any, spoiler: Spoiler, limit: int
) -> None:
    """If parked aggregates were ignored, the fourth event would be applied without the third."""
    for stream in (SOUND, POISONED, uuid4(), uuid4()):
        append_reviewed(stream)
    poisonous = spoiled(projection, spoiler)
    while (batch := runner.run_batch(poisonous, limit=limit)) is not None and batch.events:
        pass
    assert parked() == [(POISONED, 3, 1), (POISONED, 4, 0)]
    first = ParkedEvent.objects.earliest("position")
    assert first.error
    assert "Traceback" in first.traceback
    with_poison = rows()

    # A retry with repaired code gives the same rows as if there had been no fault.
    assert parking.retry(projection, POISONED, by=OPERATOR) == 0
    assert parked() == []
    repaired = rows()
    assert repaired != with_poison
    for table in (PaymentSummary, DailyStatistics):
        table.objects.all().delete()
    runner.catch_up(replace(projection, name="fresh"))
    assert rows() == repaired


def test_later_batches_park_events_of_a_parked_aggregate(projection: Any) -> None:
    append(POISONED, initiated(), flagged())
    append(POISONED, approved(), expected=2)
    poisonous = spoiled(projection, raises)
    runner.catch_up(poisonous)
    append(POISONED, processed_after_approval(), expected=3)
    append(SOUND, initiated(), processed())

    runner.catch_up(projection)  # the fault is repaired, but later events still wait

    assert parked() == [(POISONED, 3, 1), (POISONED, 4, 0)]
    assert parking.retry(poisonous, POISONED, by=OPERATOR) == 2
    assert parked() == [(POISONED, 3, 2), (POISONED, 4, 0)]
    assert parking.retry(projection, POISONED, by=OPERATOR) == 0


def test_discard_skips_the_event_and_applies_the_later_ones(projection: Any) -> None:
    for stream in (POISONED, SOUND):
        append_reviewed(stream)
    poisonous = spoiled(projection, raises)
    runner.catch_up(poisonous)
    position = ParkedEvent.objects.earliest("position").position
    left = parking.discard(poisonous, position, reason="Never happened", by=OPERATOR, at=NOON)
    assert left == 0
    assert parked() == []
    if isinstance(projection, Rows):
        assert PaymentSummary.objects.get(pk=POISONED).status == "completed"
        assert PaymentSummary.objects.get(pk=POISONED).reviewer == ""
    else:
        assert DailyStatistics.objects.get().completed_count == 2
    with pytest.raises(parking.NotParked):
        parking.discard(poisonous, position, reason="Again", by=OPERATOR, at=NOON)
    with pytest.raises(parking.NotParked):
        parking.retry(projection, POISONED, by=OPERATOR)
    # A rebuild honors the discard, because it is a person's decision.
    DiscardedEvent.objects.update(projection="fresh")
    PaymentSummary.objects.all().delete()
    DailyStatistics.objects.all().delete()
    runner.catch_up(replace(poisonous, name="fresh"))
    assert parked() == []


def test_lost_database_parks_nothing(projection: Any) -> None:
    append_reviewed(POISONED)
    pid = connection.connection.info.backend_pid

    def killed(record: RecordedPaymentEvent, result: Any) -> Any:
        with session() as other:
            other.execute("SELECT pg_terminate_backend(%s)", (pid,))
        return result

    with pytest.raises((OperationalError, InterfaceError)):
        runner.run_batch(spoiled(projection, killed))
    connection.close()
    assert parked() == []
    assert lag.measure()[0].error == ""


def test_missing_column_stalls_the_projection_and_parks_nothing() -> None:
    append_reviewed(POISONED)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE readmodels_paymentsummary RENAME COLUMN risk_band TO band")

    try:
        with pytest.raises(ProgrammingError):
            runner.run_batch(SUMMARY)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE readmodels_paymentsummary RENAME COLUMN band TO risk_band")

    assert parked() == []
    assert "risk_band" in lag.measure()[0].error


def test_lag_counts_parked_events(projection: Any) -> None:
    append_reviewed(POISONED)
    runner.catch_up(spoiled(projection, raises))

    counted = {each.name: each.parked for each in lag.measure()}

    assert counted[projection.name] == 2
    assert sum(counted.values()) == 2


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Rows | Counters:
    """Let the command use a projection of daily statistics that always fails."""
    from readmodels.management.commands import parked as command

    projection = spoiled(STATISTICS, raises)
    monkeypatch.setitem(PROJECTIONS, projection.name, projection)
    monkeypatch.setitem(command._PARKING, projection.name, projection)
    return projection


def run(*arguments: str, status: int = 0) -> str:
    out = StringIO()
    if status:
        with pytest.raises(SystemExit) as exit_:
            call_command("parked", *arguments, stdout=out)
        assert exit_.value.code == status
    else:
        call_command("parked", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("error", ["KeyError: '[/red]'", "ValueError: :x: [bold]"])
def test_parked_command_shows_error_with_markup_as_it_is(error: str) -> None:
    append_reviewed(POISONED)
    runner.catch_up(spoiled(SUMMARY, raises))
    ParkedEvent.objects.exclude(error="").update(error=error)

    assert error in run(status=1)


def test_parked_command_lists_retries_and_discards(broken: Rows | Counters) -> None:
    assert run() == "Nothing is parked.\n"
    append_reviewed(POISONED)
    runner.catch_up(broken)
    position = Event.objects.get(version=3).position
    assert "ZeroDivisionError: no such rate" in run(status=1)
    assert "Traceback" in run("show", "daily_statistics", str(position), status=1)
    assert "Events still parked: 2." in run("retry", status=1)
    assert "Events still parked: 2." in run("retry", "daily_statistics", str(POISONED), status=1)
    with pytest.raises(CommandError, match="card number"):
        run("discard", "daily_statistics", str(position), "--reason", "4111 1111 1111 1111")
    with pytest.raises(CommandError, match="has not parked the event at 1000000"):
        run("discard", "daily_statistics", "1000000", "--reason", "Why not")
    output = run("discard", "daily_statistics", str(position), "--reason", "Never happened")
    assert "will never apply" in output
    assert "All are applied" in output
    assert run("retry") == "Nothing to retry.\n"
    assert DiscardedEvent.objects.get().discarded_by.startswith("system:manage.py:")
