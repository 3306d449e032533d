"""Texts of figures in tables."""

from typing import Final

from readmodels.admin.base import fragments
from readmodels.queries.histograms import Estimate

NONE: Final = "–"


def count(number: int) -> str:
    return f"{number:,}"


def rate(part: int, whole: int) -> str:
    """Return the share in percent, or a dash if there is nothing to divide by."""
    return f"{100 * part / whole:.1f} %" if whole > 0 else NONE


def estimate(found: Estimate | None) -> str:
    """Return an estimated time, such as "4 min"."""
    if found is None:
        return NONE
    text = fragments.duration(found.seconds)
    return f"over {text}" if found.at_least else text
