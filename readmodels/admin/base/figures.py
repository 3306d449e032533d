"""Format figures for tables."""

from typing import Any, Final

from django.db.models import QuerySet

from readmodels.admin.base import fragments
from readmodels.queries.histograms import Estimate

NONE: Final = "–"


def count(number: int) -> str:
    return f"{number:,}"


def count_up_to(most: int, rows: QuerySet[Any]) -> str:
    """Return the number of rows as text, such as "1000+" if there are more than `most`."""
    found = rows.order_by()[: most + 1].count()
    return up_to(most, found)


def up_to(most: int, number: int) -> str:
    """Return the number as text, such as "1000+" if it is greater than `most`."""
    return f"{most}+" if number > most else str(number)


def rate(part: int, whole: int) -> str:
    """Return the share in percent, or a dash if `whole` is zero."""
    return f"{100 * part / whole:.1f} %" if whole > 0 else NONE


def estimate(found: Estimate | None) -> str:
    """Return an estimated time, such as "4 min"."""
    if found is None:
        return NONE
    text = fragments.duration(found.seconds)
    return f"over {text}" if found.at_least else text
