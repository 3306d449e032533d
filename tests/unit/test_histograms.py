"""Percentiles from counts per range."""

import pytest

from readmodels.queries.histograms import Estimate, percentile

LIMITS = (10, 20, 60, None)


@pytest.mark.parametrize(
    ("counts", "share", "seconds"),
    [
        ((4, 0, 0, 0), 0.5, 5),
        ((2, 2, 0, 0), 0.5, 10),
        ((1, 0, 1, 0), 0.5, 10),
        ((0, 0, 4, 0), 0.5, 40),
        ((19, 0, 1, 0), 0.95, 10),
        ((0, 1, 0, 0), 1.0, 20),
    ],
)
def test_percentile_is_spread_evenly_within_its_range(
    counts: tuple[int, ...], share: float, seconds: int
) -> None:
    assert percentile(counts, LIMITS, share) == Estimate(seconds)


def test_percentile_in_the_last_range_is_a_lower_bound() -> None:
    assert percentile((1, 0, 0, 9), LIMITS, 0.5) == Estimate(60, at_least=True)


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (-1, 0, 0, 0)])
def test_percentile_of_nothing_is_none(counts: tuple[int, ...]) -> None:
    """A counter can be negative between two batches."""
    assert percentile(counts, LIMITS, 0.5) is None
