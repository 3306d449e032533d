"""The stored form of comparisons, and the digest by which a person confirms them."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec

from readmodels.engine import storage
from readmodels.projections import PROJECTIONS
from readmodels.projections.kinds import Counters
from readmodels.rebuild.compare import Comparison, Difference


def stored(comparisons: Sequence[Comparison]) -> list[Any]:
    """Return the comparisons as JSON for the column."""
    builtins: list[Any] = msgspec.to_builtins(comparisons)
    return builtins


def read(column: list[Any] | None) -> tuple[Comparison, ...]:
    """Return the comparisons of the column, none while the run has no report."""
    return msgspec.convert(column or [], tuple[Comparison, ...])


def digest(comparisons: Sequence[Comparison]) -> str:
    """Return a hash of what differs.

    New events move positions, numbers of rows and sums, in both tables alike. The hash leaves these out.
    """
    content = msgspec.json.encode([_content(each) for each in comparisons], order="deterministic")
    return sha256(content).hexdigest()


def _content(comparison: Comparison) -> dict[str, Any]:
    return {
        "projection": comparison.projection,
        "differing": comparison.differing,
        "sample": [_row(comparison.projection, each) for each in comparison.sample],
        "days": [
            (each.currency, each.day, each.built - each.live)
            for each in (*comparison.totals, *comparison.differing_days)
            if each.built != each.live
        ],
    }


def _row(name: str, difference: Difference) -> Any:
    projection = PROJECTIONS[name]
    if not isinstance(projection, Counters):
        return difference
    # Today's row keeps growing in both tables, so only its differences matter. A missing row is
    # equal to zeros, because the live table adds it with the next event.
    amounts = {
        column: int(built or 0) - int(live or 0)
        for column, (live, built) in difference.columns.items()
        if column in storage.counter_columns(projection)
    }
    return {"key": difference.key, "amounts": {name: by for name, by in amounts.items() if by}}
