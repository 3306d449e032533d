"""What a rebuild leaves of the live tables, and a moment in the middle of it."""

from collections.abc import Callable
from typing import Any

import pytest

from readmodels.models import (
    Checkpoint,
    CustomerActivity,
    DailyStatistics,
    EventIndex,
    PaymentSummary,
)
from readmodels.projections import PROJECTIONS, daily_statistics, payment_summary
from readmodels.rebuild import swap
from tests.support.concurrency import session

ALL = list(PROJECTIONS.values())
SUMMARY, STATISTICS = payment_summary.PROJECTION, daily_statistics.PROJECTION
MODELS = (PaymentSummary, DailyStatistics, CustomerActivity, EventIndex)


def contents() -> list[list[Any]]:
    return [list(model.objects.order_by("pk").values_list()) for model in MODELS]


def positions() -> list[Any]:
    return list(Checkpoint.objects.order_by("name").values_list("name", "version", "position"))


def schemas_left() -> list[str]:
    with session() as looking:
        return [
            name
            for (name,) in looking.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'readmodels%'"
            )
        ]


def during_the_build(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Have `change` happen after the tables were built and compared, before the swap."""
    swap_in = swap.into_place

    def change_and_swap(*arguments: Any, **options: Any) -> None:
        change()
        swap_in(*arguments, patience=0.5, **options)

    monkeypatch.setattr(swap, "into_place", change_and_swap)
