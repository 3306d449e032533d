"""The tables of a result as screens show them: formatted, without empty rows."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from msgspec import Struct

from payments.domain.backtest.labels import Kind, Label
from payments.domain.backtest.outcomes import Outcome
from payments.domain.backtest.result import Result, Workload
from payments.domain.backtest.tally import UNSCORED
from payments.domain.backtest.verdict import FACTS, LEFT_OUT
from payments.domain.risk.evidence import AttachedBacktest
from payments.domain.risk.policy import Band, RiskPolicy
from readmodels import labels

KINDS: Final = tuple(Kind)
_OUTCOMES: Final = {Outcome.PASS: "Pass", Outcome.REVIEW: "Review", Outcome.BLOCK: "Block"}
_UNKNOWN: Final = {
    Label.PENDING: "not decided yet",
    Label.NEVER_SCORED: "over the limit of the method",
    Label.BLOCKED: "blocked at the time",
    Label.REJECTED: "rejected for a reason other than fraud",
    Label.EXPIRED: "not reviewed in time",
    Label.CANCELLED: "cancelled",
    Label.DISPUTE_OPEN: "dispute open",
    Label.DISPUTED: "disputed for a reason other than fraud",
    Label.NOT_MATURE: "too recent to be good",
}
_BANDS: Final = (UNSCORED, *(str(each) for each in Band))
_NONE: Final = "–"
_WHOLE: Final = 100
_MINUTES: Final = 60


class Amount(Struct, frozen=True):
    """A number of payments and their amount. Both are a dash if there are none."""

    payments: str
    amount: str


class Transition(Struct, frozen=True, kw_only=True):
    """The payments with the same pair of decisions by the baseline and by the candidate."""

    baseline: str
    candidate: str
    is_flip: bool
    kinds: tuple[Amount, ...]
    total: Amount


class Currency(Struct, frozen=True, kw_only=True):
    code: str
    flips: int
    rows: tuple[Transition, ...]


class RuleRow(Struct, frozen=True, kw_only=True):
    """A rule. `precision` is the share of fraud among payments of known label, and their number."""

    code: str
    label: str
    fired: tuple[str, ...]  # in total, then by kind
    precision: str
    decisive: tuple[str, ...]
    decisive_precision: str


class BandRow(Struct, frozen=True, kw_only=True):
    baseline: str
    cells: tuple[tuple[str, bool], ...]  # the number, and whether the band changed


class ExampleRow(Struct, frozen=True, kw_only=True):
    payment_id: UUID
    label: str
    amount: str


class ExampleGroup(Struct, frozen=True, kw_only=True):
    baseline: str
    candidate: str
    kind: str
    rows: tuple[ExampleRow, ...]


def outcome(value: str) -> str:
    return _OUTCOMES[Outcome(value)]


def currencies(result: Result) -> tuple[Currency, ...]:
    """Return the matrix by currency, the one with the most flips first."""
    return _currencies(
        (each.currency, each.baseline, each.candidate, each.label.kind, each.payments, each.minor)
        for each in result.matrix
    )


def attached_currencies(attached: AttachedBacktest) -> tuple[Currency, ...]:
    """Return the flips that were recorded with an attached backtest."""
    return _currencies(
        (
            each.currency,
            Outcome(each.baseline),
            Outcome(each.candidate),
            Kind(each.label),
            each.payments,
            each.minor,
        )
        for each in attached.changes
    )


def _currencies(
    cells: Iterable[tuple[str, Outcome, Outcome, Kind, int, int]],
) -> tuple[Currency, ...]:
    payments: dict[str, dict[tuple[Outcome, Outcome], Counter[Kind]]] = {}
    minor: Counter[tuple[str, Outcome, Outcome, Kind]] = Counter()
    for currency, baseline, candidate, kind, count, amount in cells:
        rows = payments.setdefault(currency, {})
        rows.setdefault((baseline, candidate), Counter())[kind] += count
        minor[currency, baseline, candidate, kind] += amount
    found = [
        Currency(
            code=code,
            flips=sum(kinds.total() for (one, other), kinds in rows.items() if one is not other),
            rows=tuple(
                _transition(code, one, other, kinds, minor)
                for (one, other), kinds in sorted(rows.items(), key=_flips_first)
            ),
        )
        for code, rows in payments.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.flips, each.code)))


def _flips_first(row: tuple[tuple[Outcome, Outcome], Counter[Kind]]) -> tuple[bool, list[int]]:
    (baseline, candidate), _ = row
    order = list(Outcome)
    return baseline is candidate, [order.index(baseline), order.index(candidate)]


def _transition(
    currency: str,
    baseline: Outcome,
    candidate: Outcome,
    kinds: Counter[Kind],
    minor: Counter[tuple[str, Outcome, Outcome, Kind]],
) -> Transition:
    amounts = {kind: minor[currency, baseline, candidate, kind] for kind in KINDS}
    return Transition(
        baseline=_OUTCOMES[baseline],
        candidate=_OUTCOMES[candidate],
        is_flip=baseline is not candidate,
        kinds=tuple(_amount(kinds[kind], amounts[kind], currency) for kind in KINDS),
        total=_amount(kinds.total(), sum(amounts.values()), currency),
    )


def _amount(payments: int, minor: int, currency: str) -> Amount:
    if not payments:
        return Amount(_NONE, "")
    return Amount(f"{payments:,}", labels.amount(minor, currency))


def rules(result: Result) -> tuple[RuleRow, ...]:
    """Return the rules that fired, the most frequent first."""
    fired: dict[str, Counter[Kind]] = {}
    decisive: dict[str, Counter[Kind]] = {}
    for each in result.rules:
        fired.setdefault(each.rule, Counter())[each.kind] += each.fired
        decisive.setdefault(each.rule, Counter())[each.kind] += each.decisive
    return tuple(
        RuleRow(
            code=rule,
            label=labels.label(rule),
            fired=_counts(fired[rule]),
            precision=_precision(fired[rule]),
            decisive=_counts(decisive[rule]),
            decisive_precision=_precision(decisive[rule]),
        )
        for rule in sorted(fired, key=lambda rule: (-fired[rule].total(), rule))
    )


def silent_rules(result: Result, candidate: RiskPolicy) -> tuple[str, ...]:
    """Return the labels of the candidate's rules that never fired."""
    fired = {each.rule for each in result.rules if each.fired}
    return tuple(
        labels.label(rule.reason) for rule in candidate.document.rules if rule.reason not in fired
    )


def _counts(kinds: Counter[Kind]) -> tuple[str, ...]:
    return tuple(f"{count:,}" if count else _NONE for count in _totals(kinds))


def _totals(kinds: Counter[Kind]) -> Iterator[int]:
    yield kinds.total()
    yield from (kinds[kind] for kind in KINDS)


def _precision(kinds: Counter[Kind]) -> str:
    known = kinds[Kind.FRAUD] + kinds[Kind.GOOD]
    return f"{kinds[Kind.FRAUD] * _WHOLE / known:.0f} % of {known:,}" if known else _NONE


def bands(result: Result) -> tuple[BandRow, ...]:
    """Return a row for each band of the baseline that occurs."""
    counts = {(each.baseline, each.candidate): each.payments for each in result.bands}
    return tuple(
        BandRow(
            baseline=labels.label(baseline),
            cells=tuple(
                (
                    f"{count:,}" if (count := counts.get((baseline, str(band)), 0)) else _NONE,
                    bool(count) and baseline not in (UNSCORED, str(band)),
                )
                for band in Band
            ),
        )
        for baseline in _BANDS
        if any((baseline, str(band)) in counts for band in Band)
    )


def workload(result: Result) -> tuple[tuple[str, str, str], ...]:
    """Return rows of a label, the value before and the value after."""
    return tuple(
        (label, value(result.baseline), value(result.candidate))
        for label, value in (
            ("Payments under review", lambda side: f"{side.payments:,}"),
            ("Reviewed by two people", lambda side: f"{side.four_eyes:,}"),
            ("Reviewer hours", lambda side: hours(side.minutes)),
            ("Reviews per hour, on average", _per_hour),
            ("Reviews per hour, 95th percentile", lambda side: f"{side.per_hour_p95:,}"),
            ("Reviewers needed at a time", lambda side: f"{side.reviewers:,}"),
        )
    )


def counts(result: Result) -> dict[str, str]:
    """Return the numbers for the sentences on the page."""
    names = ("payments", "evaluated", "reconstructed", "flips", "drift", "drift_checked")
    return {name: f"{getattr(result, name):,}" for name in names}


def hours(minutes: int) -> str:
    return f"{minutes / _MINUTES:,.1f}"


def _per_hour(side: Workload) -> str:
    return f"{side.per_hour_milli / 1000:,.2f}"


def unknown(result: Result) -> tuple[tuple[str, str], ...]:
    """Return why labels of changed payments are unknown, the most frequent reason first."""
    reasons: Counter[Label] = Counter()
    for each in result.matrix:
        if each.is_flip and each.label in _UNKNOWN:
            reasons[each.label] += each.payments
    return tuple((_UNKNOWN[label], f"{count:,}") for label, count in reasons.most_common())


def not_covered(result: Result) -> tuple[tuple[str, str], ...]:
    """Return why payments of the range are not in the tables."""
    reasons = [
        *(
            (f"Left out, because no policy decided: {LEFT_OUT[why]}", n)
            for why, n in sorted(result.left_out.items())
        ),
        *(
            (f"Not evaluable: the log does not hold {FACTS[fact]}", n)
            for fact, n in sorted(result.not_evaluable.items())
        ),
    ]
    sampled = [("Not in the sample", result.not_sampled)] if result.not_sampled else []
    return tuple((reason, f"{count:,}") for reason, count in (*sampled, *reasons))


def examples(result: Result) -> tuple[ExampleGroup, ...]:
    """Return the examples, grouped by the two decisions and the kind of label."""
    groups: dict[tuple[Outcome, Outcome, Kind], list[ExampleRow]] = {}
    for each in result.examples:
        row = ExampleRow(
            payment_id=each.payment_id,
            label=_UNKNOWN.get(each.label) or labels.label(each.label),
            amount=labels.amount(each.minor, each.currency),
        )
        groups.setdefault((each.baseline, each.candidate, each.label.kind), []).append(row)
    return tuple(
        ExampleGroup(
            baseline=_OUTCOMES[baseline],
            candidate=_OUTCOMES[candidate],
            kind=labels.label(kind),
            rows=tuple(rows),
        )
        for (baseline, candidate, kind), rows in groups.items()
    )
