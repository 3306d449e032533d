"""Payments per second of backtests, compared with only reading the same rows.

The figures of `alongside` follow: the cost of backtests, shadows and lists for a POST.
"""

import os
import random
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from uuid import uuid4

from django.db import connection
from django.utils import timezone

from payments import actors
from payments.aggregates import PAYMENT_AGGREGATE
from payments.application.dispatch import CommandContext, dispatch_new
from payments.domain.backtest.question import Mode
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.commands import ProcessPayment
from payments.domain.risk.conditions import RiskFeatures, Velocity
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.events.reading import horizon, ranges
from readmodels.backtests import processes, requests
from readmodels.backtests.models import Backtest, State
from readmodels.backtests.requests import Request
from tests.benchmarks import alongside
from tests.benchmarks.harness import Figure

_PAYMENTS: Final = int(os.environ.get("BACKTEST_PAYMENTS", "1000000"))
_TEMPLATE: Final = 20_000  # payments; all others are copies of them
_CUSTOMERS: Final = 1_000  # that made the template's payments
_AT_ONCE: Final = 4_000  # positions per read, as in a worker
_MILLION: Final = 1_000_000
_GOAL_SECONDS: Final = 60  # for a million payments

_COPIES: Final = """
INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type, schema_version, data,
                          metadata, occurred_at)
SELECT aggregate_type, md5(aggregate_id || n::text)::uuid, version, event_type, schema_version,
       jsonb_set(data, '{customer_id}', to_jsonb(md5((data ->> 'customer_id') || n)::uuid)),
       metadata, occurred_at
  FROM generate_series(1, %s) AS n, events_event ORDER BY n, position
"""


def run() -> list[Figure]:
    """Backtest the active policy over all payments. Raises AssertionError if a decision differs."""
    payments = _history()
    rows = payments / _seconds(_read_rows)
    figures = []
    for mode in (Mode.RECORDED, Mode.RECONSTRUCTED):
        for workers in (1, 2):
            rate = payments / _seconds(partial(_backtest, mode, workers))
            who = resource.RUSAGE_SELF if workers == 1 else resource.RUSAGE_CHILDREN
            peak = resource.getrusage(who).ru_maxrss / 1024
            what = f"{mode} features, {payments:,} payments, workers: {workers}, peak {peak:.0f} MB"
            figures.append(Figure(what=what, rate=rate, baseline=rows, unit="payments/s"))
            if workers > 1:
                baseline = _MILLION / _GOAL_SECONDS
                what = f"the same, against {_MILLION:,} in {_GOAL_SECONDS} s"
                figures.append(
                    Figure(what=what, rate=rate, baseline=baseline, unit="payments/s", goal=1)
                )
    _ask(Mode.RECONSTRUCTED, in_background=True)
    return [*figures, *alongside.figures()]


def _read_rows() -> None:
    upto = horizon.last_position()
    for after in range(0, upto, _AT_ONCE):
        until = min(after + _AT_ONCE, upto)
        ranges.read_range(after=after, until=until, upto=upto, types=[PAYMENT_AGGREGATE.name])


def _backtest(mode: Mode, workers: int) -> None:
    backtest = _ask(mode, in_background=False)
    ended = processes.run(backtest.pk, workers=workers)
    assert ended.state == State.DONE, ended.error
    assert ended.result is not None
    assert (ended.result["drift"], ended.result["payments"]) == (0, _PAYMENTS)


def _ask(mode: Mode, *, in_background: bool) -> Backtest:
    asked = Request(candidate=DEFAULT_POLICY, mode=mode)
    return requests.request(
        asked, by=actors.operator(), at=timezone.now(), in_background=in_background
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _history() -> int:
    """Append the template, and copies of it with other customers."""
    chance = random.Random(14)
    client_id = uuid4()
    customers = [uuid4() for _ in range(_CUSTOMERS)]
    began = datetime.now(UTC) - timedelta(days=365)
    context = CommandContext(actor=actors.client(client_id))
    for first in range(0, _TEMPLATE, 1_000):
        commands = [
            ProcessPayment(
                payment_id=uuid4(),
                client_id=client_id,
                customer_id=chance.choice(customers),
                amount=Money(chance.randint(100, 1_100_000), "USD"),
                method=Method.CREDIT_CARD,
                features=RiskFeatures(
                    paid_by_card_before=chance.random() > 0.01,
                    position=2 * first,
                    age_ms=0,
                    new_customer=False,
                    blocked=False,
                    velocity=Velocity(count_1h=0, volume_1h=0, count_24h=2, volume_24h=50_000),
                ),
                at=began + timedelta(minutes=26 * number),
            )
            for number in range(first, first + 1_000)
        ]
        dispatch_new([(command, context) for command in commands])
    with connection.cursor() as cursor:
        cursor.execute(_COPIES, [_PAYMENTS // _TEMPLATE - 1])
        cursor.execute("VACUUM ANALYZE events_event")
    return _PAYMENTS
