"""The data and options for unfold's bar chart: stacked counts by day."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from msgspec import Struct

# unfold's default options draw thin bars.
OPTIONS: Final = json.dumps(
    {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "maxBarThickness": 28,
        "scales": {
            "x": {"stacked": True, "grid": {"display": False}, "ticks": {"color": "#8b93a1"}},
            "y": {
                "stacked": True,
                "grid": {"color": "rgba(139, 147, 161, 0.2)"},
                "ticks": {"precision": 0, "color": "#8b93a1"},
            },
        },
        "plugins": {"legend": {"align": "end", "labels": {"boxWidth": 12, "color": "#8b93a1"}}},
    }
)


class Bars(Struct, frozen=True, kw_only=True):
    """A number for each day. Bars with the same stack are stacked, others are side by side."""

    label: str
    color: str
    counts: Sequence[int]
    stack: str = "day"


def by_day(days: Iterable[date], bars: Iterable[Bars]) -> str:
    """Return the data of the chart."""
    datasets: list[dict[str, Any]] = [
        {
            "label": each.label,
            "data": list(each.counts),
            "backgroundColor": each.color,
            "stack": each.stack,
        }
        for each in bars
    ]
    return json.dumps({"labels": [f"{day:%-d %b}" for day in days], "datasets": datasets})
