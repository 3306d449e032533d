"""Bar charts as SVG from the server. They need neither scripts nor inline styles, and print well.

`backoffice/parts/bars.html` shows them with a table of the same numbers. Each series has its own
scale, because failures would be invisible next to completions.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

HEIGHT: Final = 48
_STEP: Final = 10


class Bar(Struct, frozen=True):
    """A bar, in units of the drawing. `text` is its label, such as "2026-11-29: 12"."""

    x: float
    y: float
    width: float
    height: float
    text: str


class Series(Struct, frozen=True, kw_only=True):
    """One row of bars. `kind` is the CSS class that sets its color."""

    label: str
    kind: str
    bars: tuple[Bar, ...]
    counts: tuple[str, ...]
    highest: str
    total: str


class Chart(Struct, frozen=True, kw_only=True):
    """Several series over the same places, such as days. The table has a row for each place."""

    place: str
    places: tuple[str, ...]
    series: tuple[Series, ...]
    width: int
    height: int = HEIGHT

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        counts = [each.counts for each in self.series]
        return [(place, list(row)) for place, *row in zip(self.places, *counts, strict=True)]


def chart(
    place: str, places: Iterable[str], series: Iterable[tuple[str, str, Sequence[int]]]
) -> Chart:
    """Return the chart of `series`. Each one has a label, a kind and a count for each place."""
    names = tuple(places)
    return Chart(
        place=place,
        places=names,
        series=tuple(_series(names, *each) for each in series),
        width=_STEP * len(names),
    )


def _series(places: tuple[str, ...], label: str, kind: str, counts: Sequence[int]) -> Series:
    highest = max(counts, default=0)
    bars = []
    for number, (place, count) in enumerate(zip(places, counts, strict=True)):
        # A count that is not zero must be visible.
        height = max(2, round(HEIGHT * count / highest, 1)) if count > 0 else 0
        text = f"{place}: {count:,}"
        bars.append(Bar(number * _STEP + 1, HEIGHT - height, _STEP - 2, height, text))
    return Series(
        label=label,
        kind=kind,
        bars=tuple(bars),
        counts=tuple(f"{count:,}" for count in counts),
        highest=f"{highest:,}",
        total=f"{sum(counts):,}",
    )
