"""The days of a shadow for screens and the command, with the active policy next to the shadow."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from msgspec import Struct

from payments.domain.backtest.outcomes import Outcome
from payments.domain.backtest.result import Result, result_of
from payments.domain.backtest.tally import Tally, merged

_STOPPED: Final = (Outcome.REVIEW, Outcome.BLOCK)


class Sides(Struct, frozen=True):
    """The same number for the active policy and for the shadow."""

    active: int
    shadow: int


class Amounts(Struct, frozen=True, kw_only=True):
    """One currency: its payments, and the amounts held for review and blocked, in minor units."""

    currency: str
    payments: int
    flips: int
    held: Sides
    blocked: Sides


class Day(Struct, frozen=True, kw_only=True):
    """One day, or the sum of all days if `day` is None. `payments` counts evaluated payments."""

    day: date | None
    payments: int
    reviews: Sides
    blocks: Sides
    flips: int
    not_evaluable: int
    money: tuple[Amounts, ...]


def days(tallies: Mapping[date, Tally]) -> tuple[Day, ...]:
    """Return the days in their order."""
    return tuple(_day(day, result_of(tallies[day])) for day in sorted(tallies))


def total(tallies: Iterable[Tally]) -> tuple[Result, Day]:
    """Return the sum of all days."""
    result = result_of(merged(tallies))
    return result, _day(None, result)


def _day(day: date | None, result: Result) -> Day:
    payments: Counter[str] = Counter()
    flips: Counter[str] = Counter()
    # Keys: the currency, the outcome, and whether it is the shadow's outcome.
    counts: Counter[tuple[str, Outcome, bool]] = Counter()
    minor: Counter[tuple[str, Outcome, bool]] = Counter()
    for cell in result.matrix:
        payments[cell.currency] += cell.payments
        flips[cell.currency] += cell.payments if cell.is_flip else 0
        for outcome, is_shadow in ((cell.baseline, False), (cell.candidate, True)):
            counts[cell.currency, outcome, is_shadow] += cell.payments
            minor[cell.currency, outcome, is_shadow] += cell.minor
    reviews, blocks = (
        Sides(
            *(
                sum(counts[currency, outcome, is_shadow] for currency in payments)
                for is_shadow in (False, True)
            )
        )
        for outcome in _STOPPED
    )
    return Day(
        day=day,
        payments=result.evaluated,
        reviews=reviews,
        blocks=blocks,
        flips=result.flips,
        not_evaluable=result.not_evaluable_payments,
        money=tuple(
            Amounts(
                currency=currency,
                payments=payments[currency],
                flips=flips[currency],
                held=Sides(*(minor[currency, Outcome.REVIEW, each] for each in (False, True))),
                blocked=Sides(*(minor[currency, Outcome.BLOCK, each] for each in (False, True))),
            )
            for currency in sorted(payments, key=lambda each: (-payments[each], each))
        ),
    )
