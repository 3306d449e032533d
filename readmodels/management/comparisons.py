"""Format comparisons of live tables with tables built from the log, for commands."""

from collections.abc import Iterable, Iterator

from payments.domain.money import Money
from readmodels.rebuild.compare import Comparison, Difference, Total


def lines(comparisons: Iterable[Comparison]) -> Iterator[str]:
    """Yield one line per projection, followed by its differences."""
    for comparison in comparisons:
        yield f"{comparison.projection}: {_verdict(comparison)}"
        for total in comparison.totals:
            yield f"  {_total(total)}"
        for day in comparison.differing_days:
            yield f"  {day.day}: {_total(day)}"
        for difference in comparison.sample:
            yield f"  {describe(difference)}"
        more = comparison.differing - len(comparison.sample)
        if more > 0:
            yield f"  and {more:,} more rows"


def _verdict(comparison: Comparison) -> str:
    where = f"at position {comparison.position:,}"
    if comparison.live_position != comparison.position:
        where += f", the live table at {comparison.live_position:,}"
    if comparison.same:
        return f"{comparison.live_rows:,} rows, all the same ({where})"
    return (
        f"{comparison.live_rows:,} rows live, {comparison.built_rows:,} built,"
        f" {comparison.differing:,} differ ({where})"
    )


def _total(total: Total) -> str:
    live = Money(total.live, total.currency)
    if total.live == total.built:
        return str(live)
    return f"{live} live, {Money(total.built, total.currency)} built"


def describe(difference: Difference) -> str:
    """Return one line about a row that differs from the log."""
    if difference.missing:
        return f"{difference.key}: the row is missing"
    if difference.superfluous:
        return f"{difference.key}: no event explains this row"
    columns = (
        f"{name} {live} instead of {built}" for name, (live, built) in difference.columns.items()
    )
    return f"{difference.key}: {', '.join(columns)}"
