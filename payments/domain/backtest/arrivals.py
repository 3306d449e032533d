"""How many payments arrive for review per hour."""

from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

MAX_BUCKETS: Final = 10_000  # 416 days, if every hour has a review
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)


class Arrivals(Struct):
    """The number of reviews per time bucket, as [baseline, candidate]. Omits empty buckets.

    Buckets start one hour wide. While there are more than MAX_BUCKETS, their width is doubled. The
    width therefore depends only on the payments, not on the order in which they are counted.
    """

    width: int = 1  # hours, a power of two
    first: int | None = None  # hours since 1970 of the first payment, reviewed or not
    last: int | None = None
    buckets: dict[int, list[int]] = {}

    def add(self, at: datetime, *, baseline: bool, candidate: bool) -> None:
        """Count a payment, and whether the baseline and the candidate review it."""
        hour = (at - _EPOCH) // _HOUR
        self._extend(hour, hour)
        if baseline or candidate:
            self._count(hour // self.width, baseline, candidate)
            self._coarsen()

    def merge(self, other: "Arrivals") -> None:
        """Add the counts of another part."""
        if other.first is not None and other.last is not None:
            self._extend(other.first, other.last)
        while self.width < other.width:
            self._double()
        for bucket, (baseline, candidate) in other.buckets.items():
            self._count(bucket * other.width // self.width, baseline, candidate)
        self._coarsen()

    def span(self) -> int:
        """Return the number of buckets from the first payment to the last, empty ones included."""
        if self.first is None or self.last is None:
            return 0
        return self.last // self.width - self.first // self.width + 1

    def _extend(self, first: int, last: int) -> None:
        if self.first is None or first < self.first:
            self.first = first
        if self.last is None or last > self.last:
            self.last = last

    def _count(self, bucket: int, baseline: int, candidate: int) -> None:
        counts = self.buckets.setdefault(bucket, [0, 0])
        counts[0] += baseline
        counts[1] += candidate

    def _coarsen(self) -> None:
        while len(self.buckets) > MAX_BUCKETS:
            self._double()

    def _double(self) -> None:
        buckets, self.buckets = self.buckets, {}
        self.width *= 2
        for bucket, (baseline, candidate) in buckets.items():
            self._count(bucket // 2, baseline, candidate)
