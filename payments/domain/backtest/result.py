"""The result of a backtest: integers that the merged tally determines."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from payments.domain.backtest.arrivals import Arrivals
from payments.domain.backtest.evaluable import Fact
from payments.domain.backtest.labels import Kind, Label
from payments.domain.backtest.outcomes import LeftOut, Outcome
from payments.domain.backtest.sampling import WHOLE, Share, share
from payments.domain.backtest.tally import Drift, Example, Reviews, Tally, Worked

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
_ASSUMED_MS: Final = 6 * _MINUTE_MS
ENOUGH_DECISIONS: Final = 30


class Cell(Struct, frozen=True, kw_only=True):
    """The payments with the same outcome on each side, and the same label and currency."""

    baseline: Outcome
    candidate: Outcome
    label: Label
    currency: str
    payments: int
    minor: int

    @property
    def is_flip(self) -> bool:
        return self.baseline is not self.candidate


class RuleEffect(Struct, frozen=True, kw_only=True):
    """How often a rule of the candidate fired on payments of one kind.

    `decisive` counts those whose outcome would differ without the rule.
    """

    rule: str
    kind: Kind
    fired: int
    decisive: int


class BandCount(Struct, frozen=True, kw_only=True):
    """The payments in a pair of bands. `baseline` is "unscored" if the history has no band."""

    baseline: str
    candidate: str
    payments: int


class DecisionTime(Struct, frozen=True, kw_only=True):
    """The mean time from claim to decision. It is assumed if fewer than 30 decisions were observed."""

    observed: int
    ms: int
    assumed: bool


class Workload(Struct, frozen=True, kw_only=True):
    """The reviews of one side. A review under four eyes takes two decisions.

    `reviewers` is how many people it takes to decide `per_hour_p95` reviews per hour, or one
    review if that is 0.
    """

    payments: int
    four_eyes: int
    minutes: int
    per_hour_milli: int  # mean arrivals per hour, in thousandths
    per_hour_p95: int
    reviewers: int


class Result(Struct, frozen=True, kw_only=True):
    """What a backtest found. Rows are sorted. Counts of a sample are not scaled up to the range."""

    payments: int  # in the range
    evaluated: int
    recorded: int  # evaluated with recorded features
    reconstructed: int
    not_sampled: int
    left_out: dict[LeftOut, int]
    not_evaluable: dict[Fact, int]  # a payment that lacks two facts is counted under both
    not_evaluable_payments: int
    flips: int
    flip_share: Share  # among the evaluated payments
    known_ppm: int  # share of the flips with a known label: the coverage
    matrix: tuple[Cell, ...]
    rules: tuple[RuleEffect, ...]
    bands: tuple[BandCount, ...]
    examples: tuple[Example, ...]
    decision_time: DecisionTime
    arrivals_width: int  # hours over which arrivals are counted, 1 except for very long ranges
    baseline: Workload
    candidate: Workload
    drift: int
    drift_checked: int
    drift_unknown_policy: int
    drifts: tuple[Drift, ...]


def result_of(tally: Tally) -> Result:
    """Return the result that the merged tally of all parts determines."""
    matrix = tuple(_cells(tally))
    evaluated = tally.recorded + tally.reconstructed
    flips = sum(cell.payments for cell in matrix if cell.is_flip)
    known = sum(
        cell.payments for cell in matrix if cell.is_flip and cell.label.kind is not Kind.UNKNOWN
    )
    time = _decision_time(tally.worked)
    return Result(
        payments=evaluated
        + tally.not_sampled
        + tally.not_evaluable_payments
        + sum(tally.left_out.values()),
        evaluated=evaluated,
        recorded=tally.recorded,
        reconstructed=tally.reconstructed,
        not_sampled=tally.not_sampled,
        left_out=tally.left_out,
        not_evaluable=tally.not_evaluable,
        not_evaluable_payments=tally.not_evaluable_payments,
        flips=flips,
        flip_share=share(flips, evaluated),
        known_ppm=known * WHOLE // flips if flips else WHOLE,
        matrix=matrix,
        rules=tuple(
            RuleEffect(rule=rule, kind=kind, fired=fired, decisive=decisive)
            for rule, kinds in sorted(tally.rules.items())
            for kind, (fired, decisive) in sorted(kinds.items())
        ),
        bands=tuple(
            BandCount(baseline=baseline, candidate=candidate, payments=payments)
            for baseline, candidates in sorted(tally.bands.items())
            for candidate, payments in sorted(candidates.items())
        ),
        examples=tuple(
            example
            for _, candidates in sorted(tally.examples.items())
            for _, kinds in sorted(candidates.items())
            for _, examples in sorted(kinds.items())
            for example in examples
        ),
        decision_time=time,
        arrivals_width=tally.arrivals.width,
        baseline=_workload(tally.baseline, tally.arrivals, 0, time.ms),
        candidate=_workload(tally.candidate, tally.arrivals, 1, time.ms),
        drift=tally.drift,
        drift_checked=tally.drift_checked,
        drift_unknown_policy=tally.drift_unknown_policy,
        drifts=tuple(tally.drifts),
    )


def _cells(tally: Tally) -> Iterator[Cell]:
    for baseline, candidates in sorted(tally.matrix.items()):
        for candidate, labels in sorted(candidates.items()):
            for label, currencies in sorted(labels.items()):
                for currency, (payments, minor) in sorted(currencies.items()):
                    yield Cell(
                        baseline=baseline,
                        candidate=candidate,
                        label=label,
                        currency=currency,
                        payments=payments,
                        minor=minor,
                    )


def _decision_time(worked: Worked) -> DecisionTime:
    if worked.decisions < ENOUGH_DECISIONS:
        return DecisionTime(observed=worked.decisions, ms=_ASSUMED_MS, assumed=True)
    ms = worked.ms // worked.decisions
    return DecisionTime(observed=worked.decisions, ms=ms, assumed=False)


def _workload(reviews: Reviews, arrivals: Arrivals, side: int, decision_ms: int) -> Workload:
    """Return the workload of a side of `arrivals`: 0 is the baseline, 1 the candidate."""
    decisions = reviews.payments + reviews.four_eyes
    buckets = arrivals.span()
    p95 = _up(_percentile_95(arrivals, side, buckets), arrivals.width)
    return Workload(
        payments=reviews.payments,
        four_eyes=reviews.four_eyes,
        minutes=decisions * decision_ms // _MINUTE_MS,
        per_hour_milli=reviews.payments * 1000 // (buckets * arrivals.width) if buckets else 0,
        per_hour_p95=p95,
        # On average, a review takes `decisions / reviews.payments` decisions.
        reviewers=_up(max(p95, 1) * decisions * decision_ms, reviews.payments * _HOUR_MS)
        if reviews.payments
        else 0,
    )


def _percentile_95(arrivals: Arrivals, side: int, buckets: int) -> int:
    """Return the number of reviews that 95 % of all buckets do not exceed, by the nearest rank."""
    if not buckets:
        return 0
    counts = sorted(counts[side] for counts in arrivals.buckets.values())
    place = _up(buckets * 95, 100) - 1 - (buckets - len(counts))  # `counts` lacks the empty buckets
    return counts[place] if place >= 0 else 0


def _up(dividend: int, divisor: int) -> int:
    """Return the quotient, rounded up."""
    return -(-dividend // divisor)
