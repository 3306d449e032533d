"""A rebuild gives the same rows as catching up, and reports live rows that differ."""

from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from payments.events.models import Event
from readmodels.engine import parking, runner
from readmodels.models import Checkpoint, DailyStatistics, ParkedEvent, PaymentSummary
from readmodels.projections import PROJECTIONS
from readmodels.rebuild import swap
from readmodels.rebuild.catalogue import CatalogueChanged
from readmodels.rebuild.rebuilding import rebuild
from tests.support.api import project
from tests.support.concurrency import at_once
from tests.support.example_events import initiated, processed
from tests.support.examples import OPERATOR
from tests.support.poison import NOON, SPOILERS, Spoiler, append, spoiled
from tests.support.rebuilding import (
    ALL,
    STATISTICS,
    SUMMARY,
    contents,
    during_the_build,
    positions,
    schemas_left,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.mark.parametrize("workers", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_rebuild_gives_the_same_rows_as_catching_up(filled: int, workers: int) -> None:
    before, then = contents(), positions()
    PaymentSummary.objects.update(status="failed")
    DailyStatistics.objects.all().delete()
    progress: list[int] = []

    rebuilt = rebuild(ALL, workers=workers, progress=progress.append)

    assert contents() == before
    assert positions() == then
    assert rebuilt.events == 2 * filled == progress[-1]
    assert progress == sorted(progress)
    assert schemas_left() == []
    assert all(each.same for each in rebuild(ALL).comparisons)


def test_rebuild_of_an_empty_log_leaves_empty_tables() -> None:
    assert rebuild(ALL).events == 0
    assert {position for *_, position in positions()} == {0}
    assert schemas_left() == []


def test_rebuild_reports_differences_by_row_and_by_sum(filled: int) -> None:
    wrong, missing = PaymentSummary.objects.order_by("pk")[:2]
    PaymentSummary.objects.filter(pk=wrong.pk).update(amount=wrong.amount + 1)
    PaymentSummary.objects.filter(pk=missing.pk).delete()
    summary, statistics = rebuild([SUMMARY, STATISTICS]).comparisons
    assert statistics.same
    assert (summary.live_rows, summary.built_rows, summary.differing) == (filled - 1, filled, 2)
    by_key = {each.key: each for each in summary.sample}
    assert by_key[str(wrong.pk)].columns == {"amount": (str(wrong.amount + 1), str(wrong.amount))}
    assert by_key[str(missing.pk)].missing
    assert sum(each.built - each.live for each in summary.totals) == missing.amount - 1
    assert 1 <= len(summary.differing_days) <= 2


def test_swap_includes_events_appended_during_the_rebuild(
    reviewed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without runner.advance under the checkpoint's lock, the position would go back."""

    def continue_writing(_: int) -> None:
        append(UUID(int=3), initiated(), processed())
        project()

    swap_now = swap._swap

    def go_on_and_swap(*arguments: Any) -> None:
        at_once(1, continue_writing)  # on a separate connection
        swap_now(*arguments)

    monkeypatch.setattr(swap, "_swap", go_on_and_swap)
    rebuild(ALL)
    assert PaymentSummary.objects.count() == 3
    assert {position for *_, position in positions()} == {Event.objects.latest("pk").pk}


@pytest.mark.parametrize("spoiler", SPOILERS)
@pytest.mark.parametrize("projection", [SUMMARY, STATISTICS], ids=["rows", "counters"])
def test_rebuild_parks_the_events_that_catching_up_parks(
    reviewed: None, monkeypatch: pytest.MonkeyPatch, projection: Any, spoiler: Spoiler
) -> None:
    bad = spoiled(projection, spoiler)
    monkeypatch.setitem(PROJECTIONS, bad.name, bad)

    def parked() -> list[Any]:
        fields = ("aggregate_id", "position", "version", "event_type", "error", "attempts")
        return list(ParkedEvent.objects.order_by("position").values_list(*fields))

    runner.catch_up(bad)
    before = contents(), parked()
    assert [version for _, _, version, *_ in before[1]] == [3, 4]
    ParkedEvent.objects.all().delete()
    rebuild([bad])
    assert (contents(), parked()) == before


@pytest.mark.parametrize("projection", [SUMMARY, STATISTICS], ids=["rows", "counters"])
def test_rebuild_honors_discarded_events(
    reviewed: None, monkeypatch: pytest.MonkeyPatch, projection: Any
) -> None:
    bad = spoiled(projection, SPOILERS[0])
    runner.catch_up(bad)
    position = ParkedEvent.objects.earliest("position").position
    parking.discard(bad, position, reason="Entered twice", by=OPERATOR, at=NOON)
    before = contents()

    assert all(each.same for each in rebuild([projection]).comparisons)
    assert contents() == before


def test_discard_during_a_rebuild_stops_the_swap(
    reviewed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the check for discards, the swap would restore the event."""
    bad = spoiled(SUMMARY, SPOILERS[0])
    runner.catch_up(bad)
    position = ParkedEvent.objects.earliest("position").position
    during_the_build(
        monkeypatch,
        lambda: parking.discard(bad, position, reason="Entered twice", by=OPERATOR, at=NOON),
    )
    with pytest.raises(CatalogueChanged, match="discarded"):
        rebuild([SUMMARY])


def test_rebuild_replaces_a_table_of_older_code(reviewed: None) -> None:
    project()
    newer = replace(SUMMARY, version=SUMMARY.version + 1)
    rebuild([SUMMARY])
    Checkpoint.objects.filter(name=SUMMARY.name).update(version=99, error="RebuildNeeded: ...")
    rebuild([SUMMARY])

    checkpoint = Checkpoint.objects.get(name=SUMMARY.name)

    assert (checkpoint.version, checkpoint.error) == (SUMMARY.version, "")
    assert newer.version == SUMMARY.version + 1
