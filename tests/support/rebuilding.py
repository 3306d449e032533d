"""Helpers for tests of rebuilds: the tables' contents, and changes in the middle of a rebuild."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from config.stack import place
from readmodels.models import Checkpoint
from readmodels.projections import PROJECTIONS, daily_statistics, payment_summary
from readmodels.rebuild import swap
from tests.support.concurrency import session

ALL = list(PROJECTIONS.values())
SUMMARY, STATISTICS = payment_summary.PROJECTION, daily_statistics.PROJECTION
MODELS = tuple(projection.model for projection in ALL)

# The SQL condition that the swap waits for the lock on this table.
SWAPPING = (
    "(SELECT count(*) > 0 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted"
    " AND relation = to_regclass('public.readmodels_dailystatistics'))"
)


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


@contextmanager
def manage(*arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Start manage.py on the test's database."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
    }
    with subprocess.Popen(
        [sys.executable, str(place.PROJECT / "manage.py"), *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        yield child


def wait_until(condition: str) -> None:
    with session() as looking:
        for _ in range(3_000):
            if looking.execute(f"SELECT {condition}").fetchone() == (True,):
                return
            time.sleep(0.005)
    pytest.fail(f"never: {condition}")
