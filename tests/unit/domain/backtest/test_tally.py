"""Tallies: parts merge in any order, are stored without loss, and stay small."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from payments.domain.backtest import arrivals
from payments.domain.backtest.arrivals import Arrivals
from payments.domain.backtest.cases import Case
from payments.domain.backtest.digest import digest
from payments.domain.backtest.question import Mode
from payments.domain.backtest.result import Result, result_of
from payments.domain.backtest.tally import MAX_EXAMPLES, Tally, merged
from payments.domain.risk.policy import DEFAULT_POLICY
from tests.support.backtesting import STRICTER, question, random_cases, tally_of
from tests.support.examples import NOON

CASES: Final = random_cases(14, 600)
ASKED: Final = question(mode=Mode.AUTO)
WHOLE: Final = digest(ASKED, result_of(tally_of(ASKED, CASES)))
SEEDS: Final = st.integers(0, 2**32)


def parts_of(cases: Sequence[Case], seed: int) -> list[Tally]:
    """Return the tallies of a random partition of the shuffled cases."""
    random = Random(seed)
    parts: list[list[Case]] = [[] for _ in range(random.randint(1, 9))]
    for each in random.sample(cases, len(cases)):
        random.choice(parts).append(each)
    return [tally_of(ASKED, part) for part in parts]


@given(SEEDS)
@settings(max_examples=20)
def test_digest_is_the_same_under_any_partition(seed: int) -> None:
    assert digest(ASKED, result_of(merged(parts_of(CASES, seed)))) == WHOLE


@given(SEEDS)
@settings(max_examples=20)
def test_merge_is_commutative_and_associative(seed: int) -> None:
    a, b, c, *_ = [*parts_of(CASES[:90], seed), Tally(), Tally()]

    assert merged([a, b]) == merged([b, a])
    assert merged([merged([a, b]), c]) == merged([a, merged([b, c])])


def test_merge_leaves_the_other_tally_unchanged() -> None:
    first, second = tally_of(ASKED, CASES[:50]), tally_of(ASKED, CASES[50:])
    stored = msgspec.json.encode(second)

    total = merged([first, second])
    total.merge(first)

    assert msgspec.json.encode(second) == stored


def test_tally_is_stored_as_json_without_loss() -> None:
    tally = tally_of(ASKED, CASES)

    stored = msgspec.json.encode(tally)

    assert msgspec.json.decode(stored, type=Tally) == tally


def test_examples_of_a_flip_are_bounded_and_those_of_the_whole() -> None:
    asked = question(mode=Mode.RECONSTRUCTED)
    tally = tally_of(asked, random_cases(3, 3_000))

    lists = [
        examples
        for candidates in tally.examples.values()
        for kinds in candidates.values()
        for examples in kinds.values()
    ]

    assert max(map(len, lists)) == MAX_EXAMPLES
    assert all(examples == sorted(examples) for examples in lists)
    assert {each.baseline for examples in lists for each in examples} == set(tally.examples)


def test_arrivals_double_their_width_when_there_are_too_many_buckets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arrivals, "MAX_BUCKETS", 10)
    hours = [0, 1, 2, 3, 30, 31, 60, 61, 90, 91, 120, 121, 200]

    def counted(order: Sequence[int]) -> Arrivals:
        found = Arrivals()
        for hour in order:
            found.add(NOON + timedelta(hours=hour), baseline=hour % 2 == 0, candidate=True)
        return found

    whole = counted(hours)
    part = counted(hours[7:])
    part.merge(counted(hours[:7]))

    assert whole.width == 2
    assert len(whole.buckets) <= 10
    assert sum(candidate for _, candidate in whole.buckets.values()) == len(hours)
    assert part == counted(hours[::-1]) == whole


@given(st.lists(st.integers(-500, 500), max_size=60), SEEDS)
def test_arrivals_are_the_same_under_any_partition(hours: list[int], seed: int) -> None:
    random = Random(seed)
    parts = [Arrivals() for _ in range(3)]
    whole, total = Arrivals(), Arrivals()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrivals, "MAX_BUCKETS", 8)
        for hour in hours:
            for counts in (whole, random.choice(parts)):
                counts.add(NOON + timedelta(hours=hour), baseline=False, candidate=True)
        for part in random.sample(parts, len(parts)):
            total.merge(part)

    assert total == whole


def test_result_is_stored_as_json_without_loss() -> None:
    result = result_of(tally_of(ASKED, CASES))

    assert msgspec.json.decode(msgspec.json.encode(result), type=Result) == result


def test_question_differs_in_digest_by_policy_mode_and_seed() -> None:
    result = result_of(tally_of(ASKED, CASES))

    digests = {
        digest(asked, result)
        for asked in (
            ASKED,
            question(),
            question(mode=Mode.AUTO, seed=1),
            question(mode=Mode.AUTO, baseline=STRICTER),
            question(mode=Mode.AUTO, candidate=DEFAULT_POLICY),
        )
    }

    assert len(digests) == 5
