"""Count the cases of a backtest in bounded memory, in parts that can be merged in any order.

A tally is stored as JSON and read again without loss. The bound of each container:

| field | entries |
|---|---|
| `left_out`, `not_evaluable` | the members of an enumeration |
| `matrix` | 3 outcomes x 3 outcomes x 11 labels x the currencies that occur |
| `rules` | the rules of the candidate, at most 100, and NO_LIMIT, x 3 kinds of labels |
| `bands` | 4 x 3 |
| `examples` | 50 for each of 6 flips x 3 kinds of labels |
| `drifts` | 10 |
| `arrivals` | 10,000 buckets of hours, see Arrivals |
"""

from bisect import insort
from collections.abc import Iterable
from itertools import chain
from typing import Any, Final, TypeVar
from uuid import UUID

from msgspec import Struct, field

from payments.domain.backtest.arrivals import Arrivals
from payments.domain.backtest.evaluable import Fact
from payments.domain.backtest.labels import Kind, Label
from payments.domain.backtest.outcomes import LeftOut, Outcome

MAX_EXAMPLES: Final = 50
MAX_DRIFTS: Final = 10
UNSCORED: Final = "unscored"  # the band of a payment that the history did not score

T = TypeVar("T", "Example", "Drift")


class Example(Struct, frozen=True, order=True, gc=False):
    """A payment whose outcome differs. `rank` is random: the smallest ones are a random sample."""

    rank: int
    payment_id: UUID
    position: int
    baseline: Outcome
    candidate: Outcome
    label: Label
    minor: int
    currency: str


class Drift(Struct, frozen=True, order=True, gc=False):
    """A payment for which its recorded policy and features now give another decision."""

    position: int
    payment_id: UUID


class Worked(Struct):
    """Decisions on payments that the reviewer had claimed, and the total time since the claims."""

    decisions: int = 0
    ms: int = 0


class Reviews(Struct):
    """The payments that wait for review, and those of them that need two people."""

    payments: int = 0
    four_eyes: int = 0


class Tally(Struct, kw_only=True):
    """Counts of payments. Lists are [payments, minor units] in `matrix`, [fired, decisive] in `rules`."""

    not_sampled: int = 0
    left_out: dict[LeftOut, int] = {}
    not_evaluable: dict[Fact, int] = {}  # a payment that lacks two facts is counted under both
    not_evaluable_payments: int = 0
    recorded: int = 0  # evaluated with recorded features
    reconstructed: int = 0
    # By baseline, candidate, label and currency.
    matrix: dict[Outcome, dict[Outcome, dict[Label, dict[str, list[int]]]]] = {}
    rules: dict[str, dict[Kind, list[int]]] = {}
    bands: dict[str, dict[str, int]] = {}  # by the band of the baseline, or UNSCORED
    examples: dict[Outcome, dict[Outcome, dict[Kind, list[Example]]]] = {}
    worked: Worked = field(default_factory=Worked)
    baseline: Reviews = field(default_factory=Reviews)
    candidate: Reviews = field(default_factory=Reviews)
    arrivals: Arrivals = field(default_factory=Arrivals)
    drift_checked: int = 0
    drift_unknown_policy: int = 0  # the log does not hold the policy of the assessment
    drift: int = 0
    drifts: list[Drift] = []

    def add_example(self, example: Example) -> None:
        candidates = self.examples.setdefault(example.baseline, {})
        kinds = candidates.setdefault(example.candidate, {})
        keep(kinds.setdefault(example.label.kind, []), example, MAX_EXAMPLES)

    def add_drift(self, drift: Drift) -> None:
        self.drift += 1
        keep(self.drifts, drift, MAX_DRIFTS)

    def merge(self, other: "Tally") -> None:
        """Add the counts of another part. The order of parts does not matter."""
        for name in _COUNTS:
            setattr(self, name, _sum(getattr(self, name), getattr(other, name)))
        self.arrivals.merge(other.arrivals)
        for candidates in other.examples.values():
            for kinds in candidates.values():
                for example in chain.from_iterable(kinds.values()):
                    self.add_example(example)
        for drift in other.drifts:
            keep(self.drifts, drift, MAX_DRIFTS)


_COUNTS: Final = [
    name for name in Tally.__struct_fields__ if name not in {"arrivals", "examples", "drifts"}
]


def merged(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of the parts' tallies."""
    total = Tally()
    for tally in tallies:
        total.merge(tally)
    return total


def keep(smallest: list[T], item: T, most: int) -> None:
    """Insert the item into the sorted list, and drop the largest one if the list is too long."""
    if len(smallest) < most or item < smallest[-1]:
        insort(smallest, item)
        del smallest[most:]


def _sum(ours: Any, theirs: Any) -> Any:
    """Return the sum of counts, or of structures of counts. `ours` is None if only `theirs` has the entry."""
    match theirs:
        case dict():
            total = ours or {}
            for key, value in theirs.items():
                total[key] = _sum(total.get(key), value)
            return total
        case list():
            return [a + b for a, b in zip(ours or [0] * len(theirs), theirs, strict=True)]
        case Struct():
            values = ((name, getattr(theirs, name)) for name in theirs.__struct_fields__)
            return type(theirs)(**{name: _sum(getattr(ours, name), each) for name, each in values})
        case _:
            return (ours or 0) + theirs
