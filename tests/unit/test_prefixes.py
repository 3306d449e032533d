"""With times in any order, time travel still returns a prefix of the history."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given, strategies as st

from payments.aggregates import HistoricPaymentEvent
from payments.events.metadata import Metadata
from payments.events.reading import timetravel
from payments.events.reading.timetravel import NoSuchVersion
from tests.support.example_events import initiated
from tests.support.examples import NOON

minutes = st.integers(0, 5)


def history(*times: tuple[int, int]) -> list[HistoricPaymentEvent]:
    """Return an event for each pair of minutes: (recorded, occurred)."""
    stream = uuid4()
    return [
        HistoricPaymentEvent(
            10 * version,
            stream,
            version,
            initiated(at=_at(occurred)),
            Metadata(actor="system:test", command="process_payment"),
            _at(recorded),
        )
        for version, (recorded, occurred) in enumerate(times, start=1)
    ]


def _at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def _versions(records: list[HistoricPaymentEvent]) -> list[int]:
    return [record.version for record in records]


def test_prefix_has_no_gap_after_earlier_occurred_at() -> None:
    """If each event were filtered alone, versions 1 and 3 would be returned without 2."""
    late = history((0, 0), (1, 4), (2, 2), (3, 5))

    assert _versions(timetravel.occurred_by(late, _at(0))) == [1]
    assert _versions(timetravel.occurred_by(late, _at(2))) == [1]
    assert _versions(timetravel.occurred_by(late, _at(4))) == [1, 2, 3]
    assert _versions(timetravel.recorded_by(late, _at(2))) == [1, 2, 3]


def test_prefix_has_no_gap_after_clock_set_back() -> None:
    assert _versions(timetravel.recorded_by(history((1, 0), (3, 0), (2, 0)), _at(2))) == [1]


def test_prefix_before_first_event_is_empty() -> None:
    assert timetravel.recorded_by(history((1, 1)), datetime(2000, 1, 1, tzinfo=UTC)) == []
    assert timetravel.occurred_by([], NOON) == []


def test_prefix_refuses_version_beyond_stream() -> None:
    three = history((0, 0), (1, 1), (2, 2))
    assert _versions(timetravel.at_version(three, 2)) == [1, 2]
    for beyond in (-1, 0, 4, 2**40):
        with pytest.raises(NoSuchVersion, match="newest one is 3"):
            timetravel.at_version(three, beyond)


@given(st.lists(st.tuples(minutes, minutes), max_size=8), minutes)
def test_prefix_as_of_time_is_longest(times: list[tuple[int, int]], minute: int) -> None:
    whole = history(*times)
    for past, index in (
        (timetravel.recorded_by(whole, _at(minute)), 0),
        (timetravel.occurred_by(whole, _at(minute)), 1),
    ):
        assert past == whole[: len(past)]
        assert all(times[n][index] <= minute for n in range(len(past)))
        assert len(past) == len(whole) or times[len(past)][index] > minute
