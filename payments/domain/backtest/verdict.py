"""State a result in sentences. The command, the pages and the API show the same ones."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from payments.domain.backtest.evaluable import Fact
from payments.domain.backtest.labels import Kind
from payments.domain.backtest.outcomes import LeftOut, Outcome
from payments.domain.backtest.result import Cell, Result
from payments.domain.backtest.tally import UNSCORED
from payments.domain.money import Money

_HISTORY: Final = (
    "History as it was: a blocked payment has no outcome, and customers might have behaved"
    " differently."
)
_NO_LABELS: Final = (
    "A shadow does not know which payments were fraud. A backtest over the same payments does."
)
_NEWLY: Final = {
    Outcome.REVIEW: "would newly wait for review",
    Outcome.BLOCK: "would newly be blocked",
    Outcome.PASS: "would newly pass",
}
_STOPPED: Final = {Outcome.REVIEW: "held", Outcome.BLOCK: "blocked"}
# What the log may lack, so that a payment is not evaluable.
FACTS: Final = {
    Fact.FEATURES: "the features",
    Fact.NEW_CUSTOMER: "whether the customer is new",
    Fact.BLOCKED: "whether the customer is blocked",
    Fact.VELOCITY: "the customer's earlier payments",
    Fact.COUNTRY: "the country",
    Fact.CARD: "the card",
    Fact.REFERENCE: "the reference",
    Fact.LISTS: "the lists that matched",
}
# Why no policy decided on a payment.
LEFT_OUT: Final = {
    LeftOut.METHOD_LIMIT: "over the limit of the method",
    LeftOut.UNDECIDED: "not decided",
}
_MOST_CURRENCIES: Final = 3


def verdict(result: Result, *, labeled: bool = True) -> str:
    """Return one sentence on the payments that would be decided differently, the money and work.

    `labeled` is False for a shadow, which knows neither labels nor how long reviewers work.
    """
    if not result.evaluated:
        return "No payment of the range could be evaluated."
    of = f"Of {_payments(result.evaluated)}{' in the sample' if result.not_sampled else ''}"
    flips = [cell for cell in result.matrix if cell.is_flip]
    if not flips:
        return f"{of}, none would be decided otherwise."
    return (
        f"{of}, {'; '.join((*_changes(flips, labeled=labeled), *_money(flips), *_work(result)))}."
    )


def limits(result: Result, *, labeled: bool = True) -> tuple[str, ...]:
    """Return sentences on the limits of the verdict. The first one applies to every result."""
    return (_HISTORY, *_limits(result, labeled=labeled))


def _limits(result: Result, *, labeled: bool) -> Iterator[str]:
    if result.not_sampled:
        share = result.flip_share
        yield (
            f"The sample has {result.payments - result.not_sampled:,} of {_payments(result.payments)}:"
            f" with 95 % confidence, {percent(share.low_ppm)} to {percent(share.high_ppm)} of all"
            " evaluable ones would be decided otherwise."
        )
    if unscored := sum(band.payments for band in result.bands if band.baseline == UNSCORED):
        yield f"{_were(unscored)} not scored when they were made: in the history, they passed."
    if not labeled:
        yield _NO_LABELS
    elif result.flips:
        yield f"{percent(result.known_ppm)} of the changed payments are known to be fraud or good."
    if result.reconstructed:
        yield (
            f"{_were(result.reconstructed)} evaluated with features that were computed from the log."
        )
    if result.not_evaluable_payments:
        yield (
            f"{_payments(result.not_evaluable_payments)} could not be evaluated, because the log does not"
            f" hold {_list((FACTS[fact], count) for fact, count in sorted(result.not_evaluable.items()))}."
        )
    if result.left_out:
        yield (
            f"{_were(sum(result.left_out.values()))} left out, because no policy decided:"
            f" {_list((LEFT_OUT[why], count) for why, count in sorted(result.left_out.items()))}."
        )
    if result.decision_time.assumed:
        assumed = (
            f"Reviewer hours assume {result.decision_time.ms // 60_000} minutes for each decision"
        )
        observed = f": only {result.decision_time.observed} were observed" if labeled else ""
        yield f"{assumed}{observed}."
    if result.drift:
        yield (
            f"{result.drift:,} of {result.drift_checked:,} decisions would differ today by their own"
            " policy and features: the code has changed since."
        )
    if result.drift_unknown_policy:
        yield f"The log does not hold the policy that decided on {_payments(result.drift_unknown_policy)}."


def _changes(flips: Sequence[Cell], *, labeled: bool) -> Iterator[str]:
    by_outcome: dict[Outcome, Counter[Kind]] = {}
    for cell in flips:
        kinds = by_outcome.setdefault(cell.candidate, Counter())
        kinds[cell.label.kind] += cell.payments
    for outcome, newly in _NEWLY.items():
        if outcome in by_outcome:
            kinds = by_outcome[outcome]
            known = ", ".join(f"{kinds[kind]:,} {kind}" for kind in Kind)
            yield f"{kinds.total():,} {newly}{f' ({known})' if labeled else ''}"


def _money(flips: Sequence[Cell]) -> Iterator[str]:
    """Yield how much more or less money is stopped, in the currencies with the most payments."""
    payments: Counter[str] = Counter()
    for cell in flips:
        payments[cell.currency] += cell.payments
    shown = sorted(payments, key=lambda currency: (-payments[currency], currency))
    for outcome, stopped in _STOPPED.items():
        more: Counter[str] = Counter()
        for cell in flips:
            sign = (cell.candidate is outcome) - (cell.baseline is outcome)
            more[cell.currency] += sign * cell.minor
        for currency in shown[:_MOST_CURRENCIES]:
            if minor := more[currency]:
                amount = Money(abs(minor), currency).formatted()
                yield f"{amount} {'more' if minor > 0 else 'less'} {stopped}"
        if rest := sum(1 for currency in shown[_MOST_CURRENCIES:] if more[currency]):
            yield f"{stopped} also in {rest} other {'currency' if rest == 1 else 'currencies'}"


def _work(result: Result) -> Iterator[str]:
    minutes = result.candidate.minutes - result.baseline.minutes
    hours = round(abs(minutes) / 60)
    count, unit = (hours, "hour") if hours else (abs(minutes), "minute")
    if count:
        more = "more" if minutes > 0 else "fewer"
        yield f"about {count:,} {more} reviewer {unit}{'' if count == 1 else 's'}"


def _list(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{text} ({count:,})" for text, count in counts)


def _were(count: int) -> str:
    return f"{_payments(count)} {'was' if count == 1 else 'were'}"


def _payments(count: int) -> str:
    return f"{count:,} payment{'' if count == 1 else 's'}"


def percent(ppm: int) -> str:
    """Return parts per million as a percentage, such as "1.5 %"."""
    return f"{ppm / 10_000:.1f} %"
