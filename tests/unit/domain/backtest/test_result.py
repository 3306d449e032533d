"""The numbers that a result derives from its tally."""

from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given, strategies as st

from payments.domain.backtest.arrivals import Arrivals
from payments.domain.backtest.result import Workload, result_of
from payments.domain.backtest.tally import Reviews, Tally, Worked
from tests.support.examples import NOON

HOUR: Final = timedelta(hours=1)
NOTHING: Final = Workload(
    payments=0, four_eyes=0, minutes=0, per_hour_milli=0, per_hour_p95=0, reviewers=0
)


def test_result_of_nothing_is_zero() -> None:
    result = result_of(Tally())

    assert (result.payments, result.flips, result.matrix) == (0, 0, ())
    assert result.candidate == result.baseline == NOTHING


@pytest.mark.parametrize(("decisions", "ms"), [(0, 360_000), (29, 360_000), (30, 1_000)])
def test_decision_time_is_assumed_if_fewer_than_30_were_observed(decisions: int, ms: int) -> None:
    time = result_of(Tally(worked=Worked(decisions=decisions, ms=decisions * 1_000))).decision_time

    assert (time.observed, time.ms, time.assumed) == (decisions, ms, decisions < 30)


def test_workload_follows_from_arrivals_per_hour_and_decision_time() -> None:
    arrivals = Arrivals()
    for hour in range(100):
        for _ in range(20 if hour < 5 else 10 if hour < 10 else hour % 2):
            arrivals.add(NOON + hour * HOUR, baseline=False, candidate=True)
    arrivals.add(NOON + 99 * HOUR, baseline=False, candidate=False)
    waiting = sum(candidate for _, candidate in arrivals.buckets.values())
    tally = Tally(arrivals=arrivals, candidate=Reviews(payments=waiting, four_eyes=waiting))

    result = result_of(tally)

    # Five of 100 hours had 20 reviews, five had ten. A review takes two decisions of six minutes.
    assert waiting == 5 * 20 + 5 * 10 + 45
    assert result.candidate == Workload(
        payments=195,
        four_eyes=195,
        minutes=195 * 2 * 6,
        per_hour_milli=1_950,
        per_hour_p95=10,
        reviewers=2,
    )
    assert result.baseline == NOTHING


def test_workload_counts_hours_without_reviews() -> None:
    arrivals = Arrivals()
    arrivals.add(NOON, baseline=True, candidate=True)
    arrivals.add(NOON + 99 * HOUR, baseline=False, candidate=False)

    result = result_of(Tally(arrivals=arrivals, baseline=Reviews(payments=1)))

    assert (result.baseline.per_hour_milli, result.baseline.per_hour_p95) == (10, 0)
    assert result.baseline.reviewers == 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60))
def test_busy_hour_is_not_exceeded_by_95_percent_of_hours(reviews: list[int]) -> None:
    arrivals = Arrivals()
    for hour, count in enumerate(reviews):
        at = NOON + hour * HOUR
        arrivals.add(at, baseline=False, candidate=False)
        for _ in range(count):
            arrivals.add(at, baseline=False, candidate=True)
    tally = Tally(arrivals=arrivals, candidate=Reviews(payments=sum(reviews)))

    busy = result_of(tally).candidate.per_hour_p95

    def share_up_to(limit: int) -> float:
        return sum(count <= limit for count in reviews) / len(reviews)

    assert share_up_to(busy) >= 0.95
    assert busy == 0 or share_up_to(busy - 1) < 0.95
