"""How much a background backtest, a shadow and a condition on a list slow down a POST."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from django.db import connection, connections
from django.utils import timezone

from payments import actors
from payments.application import lists
from payments.application.lists import Author
from payments.domain.list_items import Item
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from readmodels.backtests import shadows, tasks
from readmodels.backtests.models import Shadow
from tests.benchmarks import post
from tests.benchmarks.harness import Figure, in_turns
from tests.support import policies
from tests.support.backtests import STRICT
from tests.support.lists import STOLEN, policy_using

_ROUNDS: Final = int(os.environ.get("BACKTEST_ROUNDS", "10"))
_BEAT_SECONDS: Final = 2.0
_ENTRIES: Final = 10_000
_AT_ONCE: Final = 1_000
_GOALS: Final = {
    "a backtest in the background": 0.8,
    "a shadow": 1.0,
    f"a condition on a list of {_ENTRIES:,} entries": 0.97,
}
_BACKTEST, _SHADOW, _LIST = _GOALS

_OFF: Final = "DELETE FROM lists_entry"
_ON: Final = "INSERT INTO lists_entry SELECT * FROM kept_entry"


def figures() -> list[Figure]:
    """Compare POST alone with POST alongside each load. A backtest must already be queued."""
    _start_shadow()
    managers = policies.staff("ada"), policies.staff("grace")
    with_list = _fill_list()
    with post.server() as (port, headers), _worker() as doing:
        path = "/api/v1/payments"
        submit = partial(post.requests_per_second, port, path, headers[path])

        def during(what: str) -> float:
            doing.value = what.encode()
            if what == _LIST:
                _execute(_ON)
                policies.activate(with_list, *managers)
            time.sleep(2 * _BEAT_SECONDS)  # until the turn in progress ends, or the next one begins
            try:
                return submit()
            finally:
                if what == _LIST:
                    _execute(_OFF)
                    policies.activate(DEFAULT_POLICY, *managers)

        candidates = {what: partial(during, what) for what in ("nothing", *_GOALS)}
        medians = in_turns(candidates, rounds=_ROUNDS)
    return [
        Figure(
            what=f"POST payments with {what}",
            rate=medians[what],
            baseline=medians["nothing"],
            unit="/s",
            goal=goal,
        )
        for what, goal in _GOALS.items()
    ]


def _start_shadow() -> None:
    policies.propose(STRICT, policies.staff("alan"))
    shadows.start(STRICT.policy_id, by=actors.operator(), at=timezone.now())


def _fill_list() -> RiskPolicy:
    """Create a list and put its entries aside. Return a policy with a rule on the list."""
    author = Author(by=actors.operator(), at=timezone.now(), note="Benchmark")
    lists.create(STOLEN, Item.REFERENCE_PREFIX, author)
    for first in range(0, _ENTRIES, _AT_ONCE):
        lists.add(STOLEN, [f"order-{each}" for each in range(first, first + _AT_ONCE)], author)
    _execute("CREATE TABLE kept_entry AS SELECT * FROM lists_entry")
    _execute(_OFF)
    return policy_using(STOLEN)


@contextmanager
def _worker() -> Iterator[Any]:
    """Run a process that takes turns as beat would. Yield the array with the name of its work."""
    context = multiprocessing.get_context("fork")
    doing = context.Array("c", 100)
    connections.close_all()
    process = context.Process(target=_work, args=(doing,), daemon=True)
    process.start()
    try:
        yield doing
    finally:
        process.terminate()
        process.join()


def _work(doing: Any) -> None:
    turns: dict[str, Callable[[], object]] = {_BACKTEST: tasks.work, _SHADOW: _observe}
    while True:
        began = time.monotonic()
        turns.get(doing.value.decode(), lambda: None)()
        time.sleep(max(_BEAT_SECONDS - (time.monotonic() - began), 0))


def _observe() -> None:
    """Make the shadow due, and let it count the payments since its last turn."""
    Shadow.objects.update(next_at=timezone.now())
    tasks.observe()


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        # Replaces plans that were made for the other number of entries, as autovacuum would.
        cursor.execute("ANALYZE lists_entry")
