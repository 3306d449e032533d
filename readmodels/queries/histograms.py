"""Percentiles of times, estimated from counts per range of time."""

from collections.abc import Mapping, Sequence

from msgspec import Struct


class Estimate(Struct, frozen=True):
    """An estimate of a time in seconds. If `at_least`, it is in the last range, which has no limit."""

    seconds: int
    at_least: bool = False


def percentile(
    counts: Sequence[int], limits: Sequence[int | None], share: float
) -> Estimate | None:
    """Return the time that `share` of all counted cases did not exceed, or None without counts.

    Within a range, times are assumed to be spread evenly. A count that is negative for a moment is
    taken as zero.
    """
    kept = [max(0, count) for count in counts]
    rank = share * sum(kept)
    if not sum(kept):
        return None
    below, begin = 0, 0
    for count, limit in zip(kept, limits, strict=True):
        if limit is None:
            return Estimate(begin, at_least=True)
        if count and below + count >= rank:
            return Estimate(round(begin + (limit - begin) * (rank - below) / count))
        below, begin = below + count, limit
    return Estimate(begin, at_least=True)


def of(row: Mapping[str, int], limits: Mapping[str, int | None], share: float) -> Estimate | None:
    """Return the percentile of a row whose columns are named by `limits`."""
    return percentile([row[name] for name in limits], list(limits.values()), share)
