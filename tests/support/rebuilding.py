"""Helpers for tests of the rebuild: contents of the tables, and a change in the middle of a rebuild."""

from collections.abc import Callable
from typing import Any

import pytest

from readmodels.models import Checkpoint
from readmodels.projections import PROJECTIONS, daily_statistics, payment_summary
from readmodels.rebuild import swap
from tests.support.concurrency import session

ALL = list(PROJECTIONS.values())
SUMMARY, STATISTICS = payment_summary.PROJECTION, daily_statistics.PROJECTION
MODELS = tuple(projection.model for projection in ALL)


def contents() -> list[list[Any]]:
    return [list(model._default_manager.order_by("pk").values_list()) for model in MODELS]


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
    """Run `change` after the tables are built and compared, before the swap."""
    swap_in = swap.into_place

    def change_and_swap(*arguments: Any, **options: Any) -> None:
        change()
        swap_in(*arguments, patience=0.5, **options)

    monkeypatch.setattr(swap, "into_place", change_and_swap)
