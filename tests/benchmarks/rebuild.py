"""Events per second of rebuilding two read models, compared with one SQL statement for each."""

import os
import random
import resource
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Final
from uuid import UUID, uuid4

from django.db import connection

from payments.application.dispatch import CommandContext, dispatch, dispatch_new
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.codes import ApprovalReason
from payments.domain.payment.commands import ApprovePayment, ProcessPayment
from payments.domain.risk.conditions import RiskFeatures
from readmodels.projections import PROJECTIONS
from readmodels.rebuild.rebuilding import rebuild
from tests.benchmarks.harness import Figure, in_turns

_EVENTS: Final = 300_000
_REVIEWED_EVERY: Final = 200

# A projection written as SQL: the server computes the same rows in one pass.
_PAYMENTS: Final = """
CREATE TABLE benchmark_summary AS
SELECT aggregate_id AS payment_id,
       (min(data ->> 'client_id'))::uuid AS client_id,
       (min(data ->> 'customer_id'))::uuid AS customer_id,
       min(data ->> 'reference') AS reference,
       min((data -> 'amount' ->> 'minor')::bigint) AS amount,
       min(data -> 'amount' ->> 'currency') AS currency,
       min(data ->> 'method') AS method,
       CASE WHEN bool_or(event_type = 'payment.rejected') THEN 'rejected'
            WHEN bool_or(event_type = 'payment.processed') THEN 'completed'
            WHEN bool_or(event_type = 'payment.failed') THEN 'failed'
            WHEN bool_or(event_type = 'payment.flagged_for_review') THEN 'pending_review'
            ELSE 'initiated' END AS status,
       min((data -> 'risk' ->> 'score')::smallint) AS risk_score,
       min(data -> 'risk' ->> 'band') AS risk_band,
       bool_or(event_type = 'payment.flagged_for_review') AS requires_review,
       min(data ->> 'reason') FILTER (WHERE event_type = 'payment.failed') AS failure_reason,
       min(data ->> 'reviewer') AS reviewer,
       min((data ->> 'initiated_at')::timestamptz) AS initiated_at,
       max((data ->> 'flagged_at')::timestamptz) AS flagged_at,
       max(occurred_at) FILTER (WHERE event_type = 'payment.processed') AS processed_at,
       max(occurred_at) AS updated_at, max(version) AS version, max(position) AS position
  FROM events_event GROUP BY aggregate_id;
ALTER TABLE benchmark_summary ADD PRIMARY KEY (payment_id);
CREATE INDEX ON benchmark_summary (initiated_at DESC, payment_id DESC);
CREATE INDEX ON benchmark_summary (client_id, initiated_at DESC, payment_id DESC);
CREATE INDEX ON benchmark_summary (customer_id, initiated_at DESC, payment_id DESC);
CREATE INDEX ON benchmark_summary (status, initiated_at DESC, payment_id DESC);
CREATE INDEX ON benchmark_summary (reference) WHERE reference IS NOT NULL;
"""

_DAYS: Final = """
CREATE TABLE benchmark_daily AS
SELECT (CASE WHEN event_type = 'payment.initiated' THEN (data ->> 'initiated_at')::timestamptz
             ELSE occurred_at END AT TIME ZONE 'UTC')::date AS day,
       data ->> 'client_id' AS client_id, data -> 'amount' ->> 'currency' AS currency,
       count(*) FILTER (WHERE event_type = 'payment.initiated') AS total_count,
       sum((data -> 'amount' ->> 'minor')::bigint)
           FILTER (WHERE event_type = 'payment.initiated') AS total_volume,
       count(*) FILTER (WHERE event_type = 'payment.processed') AS completed_count,
       sum((data -> 'amount' ->> 'minor')::bigint)
           FILTER (WHERE event_type = 'payment.processed') AS completed_volume,
       count(*) FILTER (WHERE event_type = 'payment.failed') AS failed_count,
       sum((data -> 'amount' ->> 'minor')::bigint)
           FILTER (WHERE event_type = 'payment.failed') AS failed_volume,
       count(*) FILTER (WHERE event_type = 'payment.flagged_for_review') AS review_count
  FROM events_event GROUP BY 1, 2, 3;
"""

_DROP: Final = "DROP TABLE IF EXISTS benchmark_summary, benchmark_daily"


def run() -> list[Figure]:
    """Build, compare and swap the read models of a history with a few reviewed payments."""
    events = _history()
    cores = os.cpu_count() or 1
    projections = [PROJECTIONS["payment_summary"], PROJECTIONS["daily_statistics"]]
    medians = in_turns(
        {
            "one": lambda: events / _seconds(lambda: rebuild(projections)),
            "all": lambda: events / _seconds(lambda: rebuild(projections, workers=cores)),
            "sql": lambda: events / _seconds(_set_based),
        }
    )
    here, there = (
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return [
        Figure(
            what=f"rebuild of {events:,} events, one process, peak {here:.0f} MB, against SQL",
            rate=medians["one"],
            baseline=medians["sql"],
            unit="events/s",
            goal=0.6,
        ),
        Figure(
            what=f"the same, {cores} processes, peak {there:.0f} MB each",
            rate=medians["all"],
            baseline=medians["sql"],
            unit="events/s",
            goal=0.7,
        ),
    ]


def _set_based() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_DROP)
        cursor.execute(_PAYMENTS)
        cursor.execute(_DAYS)
        cursor.execute(_DROP)


def _seconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def _history() -> int:
    chance = random.Random(7)
    clients = [uuid4() for _ in range(3)]
    first_day = datetime(2026, 1, 1, tzinfo=UTC)
    request = CommandContext(actor="client:benchmark")
    while (events := _count()) < _EVENTS:
        commands = [
            _payment(chance, chance.choice(clients), first_day, flagged=n % _REVIEWED_EVERY == 0)
            for n in range(1_000)
        ]
        dispatch_new([(command, request) for command in commands])
        for command in commands[::_REVIEWED_EVERY]:
            dispatch(
                ApprovePayment(
                    payment_id=command.payment_id,
                    client_id=None,
                    reviewer="staff:1",
                    reason=ApprovalReason.OTHER,
                    at=command.at + timedelta(hours=1),
                ),
                CommandContext(actor="staff:1"),
            )
    return events


def _payment(
    chance: random.Random, client_id: UUID, first_day: datetime, *, flagged: bool
) -> ProcessPayment:
    return ProcessPayment(
        payment_id=uuid4(),
        client_id=client_id,
        customer_id=uuid4(),
        amount=Money(15_000_00 if flagged else chance.randint(100, 900_000), "USD"),
        method=Method.CREDIT_CARD,
        features=RiskFeatures(paid_by_card_before=not flagged, position=0, age_ms=0),
        at=first_day + timedelta(minutes=chance.randrange(60 * 24 * 300)),
    )


def _count() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM events_event")
        row = cursor.fetchone()
    return int(row[0])
