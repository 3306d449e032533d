"""Format the result of a backtest for the command line, in 100 columns."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from payments.domain.backtest.labels import Kind
from payments.domain.backtest.outcomes import Outcome
from payments.domain.backtest.result import Result, Workload
from payments.domain.backtest.tally import Example
from payments.domain.money import Money

_EXAMPLES: Final = 3  # per kind of change and label
_KINDS: Final = tuple(Kind)


def matrix(result: Result) -> Table:
    """Return the payments by currency and by both decisions."""
    title = "Payments by decision, and what is known of them"
    table = _table("currency", "history", "policy", "", title=title)
    for name in (*_KINDS, "payments", "amount"):
        table.add_column(name, justify="right")
    kinds: dict[tuple[str, Outcome, Outcome], Counter[Kind]] = {}
    minor: Counter[tuple[str, Outcome, Outcome]] = Counter()
    for cell in result.matrix:
        place = (cell.currency, cell.baseline, cell.candidate)
        kinds.setdefault(place, Counter())[cell.label.kind] += cell.payments
        minor[place] += cell.minor
    for place in sorted(kinds):
        currency, baseline, candidate = place
        table.add_row(
            currency,
            baseline,
            candidate,
            "" if baseline is candidate else "changed",
            *_counts(kinds[place]),
            f"{kinds[place].total():,}",
            Money(minor[place], currency).formatted(),
        )
    return table


def rules(result: Result) -> Table:
    """Return how often each rule fired, and how often the decision depends on it."""
    table = _table("rule", title="Rules of the policy")
    for name in ("fired", *_KINDS, "decisive", *_KINDS):
        table.add_column(name, justify="right")
    fired: dict[str, Counter[Kind]] = {}
    decisive: dict[str, Counter[Kind]] = {}
    for effect in result.rules:
        fired.setdefault(effect.rule, Counter())[effect.kind] += effect.fired
        decisive.setdefault(effect.rule, Counter())[effect.kind] += effect.decisive
    for rule, counts in fired.items():
        alone = decisive[rule]
        table.add_row(
            rule, f"{counts.total():,}", *_counts(counts), f"{alone.total():,}", *_counts(alone)
        )
    return table


def reviews(result: Result) -> Table:
    """Return the work of the reviewers, under the history and under the policy."""
    table = _table("", title="Reviews")
    for name in ("payments", "by two", "hours", "per hour", "busiest 5 %", "reviewers"):
        table.add_column(name, justify="right")
    sides: Mapping[str, Workload] = {"history": result.baseline, "policy": result.candidate}
    for name, side in sides.items():
        table.add_row(
            name,
            f"{side.payments:,}",
            f"{side.four_eyes:,}",
            f"{side.minutes / 60:,.1f}",
            f"{side.per_hour_milli / 1000:,.2f}",
            f"{side.per_hour_p95:,}",
            f"{side.reviewers:,}",
        )
    return table


def examples(result: Result) -> Table:
    """Return a few payments of each kind of change."""
    table = _table(
        "payment", "history", "policy", "label", title="Examples: ./manage.py explain PAYMENT"
    )
    table.add_column("amount", justify="right")
    for each in _few(result.examples):
        amount = Money(each.minor, each.currency).formatted()
        table.add_row(str(each.payment_id), each.baseline, each.candidate, each.label, amount)
    return table


def _few(found: Iterable[Example]) -> Iterator[Example]:
    shown: Counter[tuple[Outcome, Outcome, Kind]] = Counter()
    for each in found:
        place = (each.baseline, each.candidate, each.label.kind)
        shown[place] += 1
        if shown[place] <= _EXAMPLES:
            yield each


def _table(*columns: str, title: str) -> Table:
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column)
    return table


def _counts(counts: Counter[Kind]) -> Iterator[str]:
    return (f"{counts[kind]:,}" for kind in _KINDS)
