"""Wilson's interval and Cohen's kappa agree with published examples."""

import pytest

from readmodels.queries.agreement import Agreement, wilson


def _agreement(*cells: int) -> Agreement:
    both, only_first, only_second, neither = cells
    return Agreement(
        approved_approved=both,
        approved_rejected=only_first,
        rejected_approved=only_second,
        rejected_rejected=neither,
    )


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [
        # Source: Newcombe 1998, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_wilson_interval_matches_published_values(
    part: int, whole: int, low: float, high: float
) -> None:
    assert wilson(part, whole) == pytest.approx((low, high), abs=0.0001)


@pytest.mark.parametrize(
    ("cells", "kappa"),
    [
        ((20, 5, 10, 15), 0.4),
        ((45, 15, 25, 15), 0.1304),
        ((25, 35, 5, 35), 0.2593),
        ((10, 0, 0, 10), 1.0),
        ((0, 10, 10, 0), -1.0),
    ],
)
def test_kappa_matches_known_tables(cells: tuple[int, ...], kappa: float) -> None:
    assert _agreement(*cells).kappa == pytest.approx(kappa, abs=0.0001)


def test_kappa_is_unknown_if_all_verdicts_are_the_same() -> None:
    assert _agreement(20, 0, 0, 0).kappa is None
    assert _agreement(0, 0, 0, 20).kappa is None
