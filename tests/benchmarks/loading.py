"""The time of loading a payment with a long history, with and without a snapshot."""

import statistics
import time
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID, uuid4

from django.db import connection

from payments.aggregates import PAYMENT_AGGREGATE
from payments.application.dispatch import CommandContext, dispatch
from payments.database import cursor
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.codes import ApprovalReason
from payments.domain.payment.commands import ProcessPayment
from payments.domain.payment.events import AnyPaymentEvent, PaymentApproved
from payments.events import replay, snapshots, store
from payments.events.metadata import Metadata
from tests.benchmarks.harness import Figure, Work, in_turns

_SHORT: Final = 1_000
_LONG: Final = 10_000
# Short payments around the long ones, so that the table resembles a real log.
_OTHERS: Final = 20_000
# At most this many events follow the snapshot, see payments.events.snapshots.AFTER.
_TAIL: Final = 100
_LOADS: Final = {_SHORT: 100, _LONG: 30}
# Milliseconds. The report shows loads per second, because higher is better in all figures.
_GOAL_SHORT: Final = 3.5
_GOAL_SNAPSHOT: Final = 2.5

_ROWS: Final = """
SELECT position, version, event_type, schema_version, data::text
  FROM events_event WHERE aggregate_id = %s ORDER BY version
"""
_MORE_PAYMENTS: Final = """
INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type, schema_version, data,
                          metadata, occurred_at)
SELECT aggregate_type, md5(aggregate_id || n::text)::uuid, version, event_type, schema_version,
       data, metadata, occurred_at
  FROM generate_series(1, %s) AS n, events_event WHERE aggregate_id = %s AND version < 3
 ORDER BY n, version
"""


def run() -> list[Figure]:
    short, long, kept = (_payment(versions) for versions in (_SHORT, _LONG, _LONG))
    payment, _ = replay.at_version(
        PAYMENT_AGGREGATE, kept, store.load(PAYMENT_AGGREGATE, kept), _LONG - _TAIL
    )
    snapshots.keep(PAYMENT_AGGREGATE, kept, payment.version, payment)
    with connection.cursor() as plain:
        plain.execute(_MORE_PAYMENTS, [_OTHERS, short])
        plain.execute("VACUUM ANALYZE events_event, events_snapshot")
    medians = in_turns(
        {
            "rows": partial(_per_second, partial(_fetch, short), _LOADS[_SHORT]),
            "short": partial(_per_second, partial(_load, short), _LOADS[_SHORT]),
            "long": partial(_per_second, partial(_load, long), _LOADS[_LONG]),
            "kept": partial(_per_second, partial(_load, kept), _LOADS[_SHORT]),
        },
        rounds=5,
    )
    return [
        Figure(
            what=f"load of {_SHORT:,} events, against {_GOAL_SHORT} ms",
            rate=medians["short"],
            baseline=1_000 / _GOAL_SHORT,
            unit="/s",
            goal=1,
        ),
        Figure(
            what="the same, against only fetching the rows",
            rate=medians["short"],
            baseline=medians["rows"],
            unit="/s",
        ),
        Figure(
            what=f"load of {_LONG:,} events with a snapshot, against {_GOAL_SNAPSHOT} ms",
            rate=medians["kept"],
            baseline=1_000 / _GOAL_SNAPSHOT,
            unit="/s",
            goal=1,
        ),
        Figure(
            what="the same, against without a snapshot",
            rate=medians["kept"],
            baseline=medians["long"],
            unit="/s",
        ),
    ]


def _per_second(work: Work, times: int) -> float:
    """Return how many median runs of `work` fit into a second."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return 1 / statistics.median(seconds)


def _load(payment_id: UUID) -> None:
    """Load like a command, which also looks up its idempotency key."""
    replay.load(PAYMENT_AGGREGATE, payment_id, key="0" * 32)


def _fetch(payment_id: UUID) -> None:
    with cursor() as cur:
        cur.execute(_ROWS, [payment_id], prepare=True).fetchall()


def _payment(versions: int) -> UUID:
    """Append many approvals to a payment, more than a real one can have."""
    now = datetime.now(UTC)
    command = ProcessPayment(
        payment_id=uuid4(),
        client_id=uuid4(),
        customer_id=uuid4(),
        amount=Money(15_000_00, "USD"),
        method=Method.CREDIT_CARD,
        at=now,
    )
    submitted = dispatch(command, CommandContext(actor="client:benchmark", key="benchmark")).payment
    approval: AnyPaymentEvent = PaymentApproved(
        reviewer="staff:1",
        reason=ApprovalReason.KNOWN_CUSTOMER,
        at=now,
        client_id=submitted.client_id,
        customer_id=submitted.customer_id,
        amount=submitted.amount,
        method=submitted.method,
        initiated_at=now,
        flagged_at=now,
    )
    metadata = Metadata(
        actor="staff:1",
        command="approve_payment",
        key="f" * 32,
        key_id=1,
        digests={"reason": "0" * 16},
        correlation_id=str(uuid4()),
    )
    approvals = [approval] * (versions - submitted.version)
    store.append(
        PAYMENT_AGGREGATE,
        submitted.payment_id,
        approvals,
        expected=submitted.version,
        metadata=metadata,
    )
    return submitted.payment_id
