"""Samples and their intervals."""

from typing import Final
from uuid import UUID

from hypothesis import given, strategies as st
from msgspec.structs import replace

from payments.domain.backtest.evaluation import Evaluation
from payments.domain.backtest.question import Mode
from payments.domain.backtest.result import result_of
from payments.domain.backtest.sampling import WHOLE, Share, share
from tests.support.backtesting import POLICIES, question, random_cases, tally_of

CASES: Final = random_cases(2, 1_500)


ASKED: Final = question(mode=Mode.RECONSTRUCTED)


def test_interval_of_a_sample_covers_the_whole_in_at_least_93_percent_of_seeds() -> None:
    flips = {}
    for each in CASES:
        result = result_of(tally_of(ASKED, [each]))
        if result.evaluated:
            flips[each.payment.payment_id] = result.flips
    whole = share(sum(flips.values()), len(flips)).ppm

    covering = 0
    for seed in range(500):
        evaluation = Evaluation(replace(ASKED, sample_ppm=100_000, seed=seed), POLICIES)
        sample = [flip for payment_id, flip in flips.items() if evaluation.samples(payment_id)]
        found = share(sum(sample), len(sample))
        covering += found.low_ppm <= whole <= found.high_ppm

    assert 100_000 < whole < 900_000
    assert covering >= 0.93 * 500


def test_sample_counts_its_payments_only() -> None:
    asked = replace(ASKED, sample_ppm=100_000)
    evaluation = Evaluation(asked, POLICIES)
    sample = [each for each in CASES if evaluation.samples(each.payment.payment_id)]

    found = result_of(tally_of(asked, CASES))

    without_sampling = result_of(tally_of(ASKED, sample))
    assert found.not_sampled == len(CASES) - len(sample) > 1_200
    assert found.payments == len(CASES)
    assert (found.flip_share, found.matrix) == (
        without_sampling.flip_share,
        without_sampling.matrix,
    )


def test_sample_has_the_same_payments_in_any_order_and_others_for_another_seed() -> None:
    def sampled(seed: int) -> set[UUID]:
        evaluation = Evaluation(question(sample_ppm=100_000, seed=seed), POLICIES)
        ids = (each.payment.payment_id for each in CASES)
        return {each for each in ids if evaluation.samples(each)}

    first, second = sampled(1), sampled(2)

    assert 100 < len(first) < 200
    assert first == sampled(1)
    assert len(first & second) < 40


def test_share_is_the_wilson_interval() -> None:
    # R's prop.test(5, 50, correct = FALSE) returns 0.0434757 and 0.2136024. Ours round outward.
    assert share(5, 50) == Share(ppm=100_000, low_ppm=43_475, high_ppm=213_603)
    assert share(0, 0) == Share(ppm=0, low_ppm=0, high_ppm=WHOLE)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_share_lies_in_its_interval(first: int, second: int) -> None:
    count, total = sorted((first, second))

    found = share(count, total)

    assert 0 <= found.low_ppm <= found.ppm <= found.high_ppm <= WHOLE
