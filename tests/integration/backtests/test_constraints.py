"""The database refuses backtests and parts that cannot exist."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection

from readmodels.backtests.models import Backtest, BacktestPart, Shadow, ShadowDay
from tests.support.examples import NOON, OPERATOR

pytestmark = pytest.mark.django_db

BACKTEST: dict[str, Any] = {
    "candidate_id": "0" * 64,
    "candidate": {},
    "since": 0,
    "upto": 10,
    "known_at": NOON,
    "mode": "recorded",
    "sample_ppm": 1_000_000,
    "seed": 0,
    "mature": timedelta(days=90),
    "engine": 1,
    "in_background": True,
    "requested_by": OPERATOR,
}
PART: dict[str, Any] = {"number": 0, "phase": 1, "first": 1, "last": 10}
SHADOW: dict[str, Any] = {
    "candidate_id": "1" * 64,
    "candidate": {},
    "since": 10,
    "position": 10,
    "engine": 1,
    "slot": 1,
    "started_by": OPERATOR,
    "started_at": NOON,
    "until": NOON,
    "next_at": NOON,
}


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("state", {"state": "paused", "finished_at": NOON}),
        ("mode", {"mode": "guessed"}),
        ("range", {"since": -1}),
        ("range", {"since": 11}),
        ("sample", {"sample_ppm": 0}),
        ("sample", {"sample_ppm": 1_000_001}),
        ("sample", {"seed": -1}),
        ("baseline", {"baseline_id": "1" * 64}),
        ("baseline", {"baseline": {}}),
        ("answer", {"state": "done", "finished_at": NOON}),
        ("answer", {"state": "done", "finished_at": NOON, "result": {}}),
        ("answer", {"digest": "2" * 64}),
        ("error", {"state": "failed", "finished_at": NOON}),
        ("error", {"error": "Broken."}),
        ("finished", {"state": "cancelled"}),
        ("finished", {"finished_at": NOON}),
        ("finished", {"state": "cancelled", "finished_at": NOON, "active_until": NOON}),
    ],
)
def test_backtest_is_refused(constraint: str, changes: dict[str, Any]) -> None:
    Backtest.objects.create(**BACKTEST)

    with pytest.raises(IntegrityError, match=f"backtests_backtest_{constraint}"):
        Backtest.objects.create(**BACKTEST | changes)


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("number", {}),
        ("range", {"number": 1, "phase": 3}),
        ("range", {"number": 1, "first": 11}),
        ("range", {"number": 1, "first": -1}),
        ("state", {"number": 1, "state": "paused"}),
        ("lease", {"number": 1, "state": "running"}),
        ("lease", {"number": 1, "leased_until": NOON}),
        ("tally", {"number": 1, "state": "done"}),
        ("tally", {"number": 1, "state": "done", "tally": {}}),
        ("tally", {"number": 1, "facts": 0}),
    ],
)
def test_part_is_refused(constraint: str, changes: dict[str, Any]) -> None:
    backtest = Backtest.objects.create(**BACKTEST)
    BacktestPart.objects.create(backtest=backtest, **PART)

    with pytest.raises(IntegrityError, match=f"backtests_part_{constraint}"):
        BacktestPart.objects.create(backtest=backtest, **PART | changes)


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("state", {"state": "paused", "slot": None, "ended_at": NOON}),
        ("range", {"since": -1}),
        ("range", {"since": 11}),
        ("slot", {"slot": None}),
        ("slot", {"slot": 4}),
        ("slot", {"ended_at": NOON}),
        ("slot", {"state": "approved", "slot": None}),
        ("slot", {"state": "approved", "ended_at": NOON}),
        ("slot", {"state": "approved", "slot": None, "ended_at": NOON, "error": "Broken."}),
        ("slot", {"slot": 1}),
        ("stopped", {"stopped_by": OPERATOR}),
        ("stopped", {"state": "stopped", "slot": None, "ended_at": NOON}),
        ("candidate", {"candidate_id": SHADOW["candidate_id"]}),
    ],
)
def test_shadow_is_refused(constraint: str, changes: dict[str, Any]) -> None:
    Shadow.objects.create(**SHADOW)

    with pytest.raises(IntegrityError, match=f"backtests_shadow_{constraint}"):
        Shadow.objects.create(**SHADOW | {"candidate_id": "2" * 64, "slot": 2} | changes)


def test_day_of_a_shadow_is_stored_once() -> None:
    shadow = Shadow.objects.create(**SHADOW)
    ShadowDay.objects.create(shadow=shadow, day=NOON, tally={})

    with pytest.raises(IntegrityError, match="backtests_day"):
        ShadowDay.objects.create(shadow=shadow, day=NOON, tally={})


def test_table_of_facts_is_unlogged() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'backtests_fact'")
        assert cursor.fetchall() == [("u",)]
