"""A shadow's figures per day depend only on the events that scored payments."""

from datetime import date
from random import Random
from typing import Final
from uuid import UUID

import msgspec
from hypothesis import given, settings, strategies as st
from msgspec.structs import replace

from payments.domain.backtest import shadow
from payments.domain.backtest.labels import Kind
from payments.domain.backtest.outcomes import Outcome
from payments.domain.backtest.result import result_of
from payments.domain.backtest.tally import Tally, merged
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.risk.policy import DEFAULT_POLICY
from tests.support.backtesting import STRICTER, random_payments
from tests.support.examples import NOON

Log = list[tuple[UUID, int, AnyPaymentEvent]]


def log_of(seed: int, payments: int) -> Log:
    """Return the events of random payments in eight days. The payments' events are interleaved."""
    random = Random(seed)
    placed = [
        (random.random() + version, payment_id, replace(event, at=NOON + (event.at - NOON) / 50))
        for payment_id, events in random_payments(seed, payments)
        for version, event in enumerate(events)
    ]
    placed.sort(key=lambda each: each[0])
    return [(stream, place, event) for place, (_, stream, event) in enumerate(placed, 1)]


LOG: Final = log_of(3, 120)
WHOLE: Final = shadow.observe(STRICTER, LOG)


def digest(days: shadow.Days) -> str:
    return shadow.digest(STRICTER.policy_id, since=0, position=len(LOG), days=days)


@settings(max_examples=40)
@given(st.sets(st.integers(1, len(LOG) - 1), max_size=12))
def test_days_do_not_depend_on_the_borders_of_steps(borders: set[int]) -> None:
    days: shadow.Days = {}
    stored: dict[date, bytes] = {}

    for first, last in zip([0, *sorted(borders)], [*sorted(borders), len(LOG)], strict=True):
        days = {day: msgspec.json.decode(each, type=Tally) for day, each in stored.items()}
        shadow.add(days, shadow.observe(STRICTER, LOG[first:last]))
        stored = {day: msgspec.json.encode(each) for day, each in days.items()}

    assert shadow.first_difference_of_days(days, WHOLE) is None
    assert digest(days) == digest(WHOLE)


def test_days_count_each_scored_payment_once_and_no_other() -> None:
    scored = [
        event for _, _, event in LOG if isinstance(event, shadow.SCORING) and event.risk is not None
    ]

    counted = {
        day: result_of(tally).evaluated + tally.not_evaluable_payments
        for day, tally in WHOLE.items()
    }

    assert sum(counted.values()) == len(scored) > 80
    for day, count in counted.items():
        assert count == sum(event.at.date() == day for event in scored)
    assert not merged(WHOLE.values()).left_out


def test_days_have_no_labels_and_no_drift() -> None:
    total = merged(WHOLE.values())

    result = result_of(total)

    assert {cell.label.kind for cell in result.matrix} == {Kind.UNKNOWN}
    assert {cell.baseline for cell in result.matrix} == set(Outcome)
    assert result.flips > 0
    assert (result.drift_checked, result.drift_unknown_policy) == (0, 0)


def test_shadow_of_the_policy_that_decided_flips_nothing() -> None:
    own = [
        (payment_id, position, event)
        for payment_id, position, event in LOG
        if isinstance(event, shadow.SCORING)
        and event.risk is not None
        and event.risk.policy_id == DEFAULT_POLICY.policy_id
    ]

    result = result_of(merged(shadow.observe(DEFAULT_POLICY, own).values()))

    assert result.evaluated > 20
    assert result.flips == 0


def test_first_difference_names_the_day_and_the_cell() -> None:
    first_day = min(WHOLE)
    changed = shadow.observe(STRICTER, LOG)
    cells = changed[first_day].matrix
    baseline = next(iter(cells))
    candidate = next(iter(cells[baseline]))
    label, currencies = next(iter(cells[baseline][candidate].items()))
    next(iter(currencies.values()))[0] += 1

    found = shadow.first_difference_of_days(WHOLE, changed)

    assert found is not None
    assert found[0] == first_day
    assert found[1].place.startswith(f"matrix, {baseline} {candidate} {label}")
    assert digest(changed) != digest(WHOLE)


def test_first_difference_names_a_day_that_is_missing() -> None:
    last = max(WHOLE)
    others = {day: tally for day, tally in WHOLE.items() if day != last}

    found = shadow.first_difference_of_days(others, WHOLE)

    assert found is not None
    assert found[0] == last
