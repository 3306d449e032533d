"""Features computed from the log equal those that the read model returned or would return."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from operator import itemgetter
from random import Random
from typing import Any, Final
from uuid import UUID

import pytest
from django.db import connection
from msgspec.structs import replace

from payments.aggregates import CUSTOMER_AGGREGATE, PAYMENT_AGGREGATE
from payments.customers import blocking
from payments.customers.models import Customer
from payments.domain.backtest.features import CustomerHistory, change_of
from payments.domain.customer import (
    AnyCustomerEvent,
    BlockLifted,
    BlockPlaced,
    BlockReason,
    UnblockReason,
)
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.events import AnyPaymentEvent, PaymentInitiated
from payments.domain.risk.conditions import RiskFeatures, Velocity
from payments.events import batches, codec, store
from payments.events.aggregates import Aggregate
from payments.events.metadata import Metadata
from payments.events.reading import horizon
from tests.support.api import PAYMENTS, ApiClient, body_of, project
from tests.support.example_events import initiated, processed, refunded
from tests.support.examples import CLIENT, NOON, NOTE, OPERATOR

pytestmark = pytest.mark.django_db(transaction=True)

AnyEvent = AnyPaymentEvent | AnyCustomerEvent
BY_TEST: Final = Metadata(actor="system:test", command="process_payment")
FACTS: Final = """
CREATE TEMP TABLE fact AS
  SELECT position, aggregate_id, event_type, (data ->> 'customer_id')::uuid AS customer_id,
         (data ->> 'initiated_at')::timestamptz AS at,
         date_bin('5 minutes', (data ->> 'initiated_at')::timestamptz, '1970-01-01+00') AS bucket,
         data -> 'amount' ->> 'currency' AS currency,
         (data -> 'amount' ->> 'minor')::bigint AS minor,
         data ->> 'method' IN ('credit_card', 'debit_card') AS by_card,
         data -> 'refunded' ->> 'minor' = data -> 'amount' ->> 'minor' AS whole
    FROM events_event;
CREATE INDEX ON fact (customer_id, position);
CREATE INDEX ON fact (aggregate_id);
ANALYZE fact;
"""
# Computes each payment's features from all earlier events of its customer, in one query that uses
# neither code nor tables of the read side.
BRUTE_FORCE: Final = """
SELECT payment.position,
       EXISTS (SELECT FROM fact AS paid
                WHERE paid.customer_id = payment.customer_id AND paid.position < payment.position
                  AND paid.event_type = 'payment.processed' AND paid.by_card
                  AND NOT EXISTS (SELECT FROM fact AS refund
                                   WHERE refund.aggregate_id = paid.aggregate_id AND refund.whole
                                     AND refund.position < payment.position)),
       NOT EXISTS (SELECT FROM fact AS earlier WHERE earlier.customer_id = payment.customer_id
                      AND earlier.position < payment.position),
       coalesce((SELECT block.event_type = 'customer.blocked' FROM fact AS block
                  WHERE block.customer_id = payment.customer_id
                    AND block.event_type LIKE 'customer.%' AND block.position < payment.position
                  ORDER BY block.position DESC LIMIT 1), false),
       hour.count, hour.volume, day.count, day.volume
  FROM fact AS payment,
       LATERAL (SELECT count(*), coalesce(sum(minor) FILTER (WHERE currency = payment.currency), 0) AS volume
                  FROM fact AS earlier
                 WHERE earlier.customer_id = payment.customer_id AND earlier.position < payment.position
                   AND earlier.event_type = 'payment.initiated'
                   AND earlier.bucket > payment.at - interval '65 minutes'
                   AND earlier.bucket <= payment.at) AS hour,
       LATERAL (SELECT count(*), coalesce(sum(minor) FILTER (WHERE currency = payment.currency), 0) AS volume
                  FROM fact AS earlier
                 WHERE earlier.customer_id = payment.customer_id AND earlier.position < payment.position
                   AND earlier.event_type = 'payment.initiated'
                   AND earlier.bucket > payment.at - interval '1445 minutes'
                   AND earlier.bucket <= payment.at) AS day
 WHERE payment.event_type = 'payment.initiated'
"""


def test_one_pass_over_2000_payments_equals_a_query_as_of_each_of_them() -> None:
    events = list(random_log(Random(14), payments=2_000))
    positions = append(events)

    reconstructed = one_pass(zip(positions, (event for *_, event in events), strict=True))

    with connection.cursor() as cursor:
        cursor.execute(FACTS)
        cursor.execute(BRUTE_FORCE)
        found = {row[0]: features_of(row) for row in cursor.fetchall()}
        cursor.execute("DROP TABLE fact")
    assert len(found) == 2_000
    assert reconstructed == found
    assert {each.blocked for each in found.values()} == {True, False}
    assert {each.paid_by_card_before for each in found.values()} == {True, False}
    assert 1 < max(each.velocity.count_1h for each in found.values() if each.velocity) < 100


def test_reconstructed_features_equal_the_recorded_ones_where_the_log_was_quiet() -> None:
    acme, random = ApiClient(), Random(3)
    submitted: list[str] = []
    for place in range(40):
        answer = body_of(
            acme.submit(
                customer_id=f"customer-{random.randrange(4)}",
                amount=random.randrange(1, 200_00),
                currency=random.choice(["USD", "EUR"]),
                method=random.choice(list(Method)),
            )
        )
        submitted.append(answer["id"])
        if place % 3 == 2:
            acme.post(f"{PAYMENTS}/{random.choice(submitted)}/refunds", {"reason": "duplicate"})
        if place in {10, 20, 30}:
            customer = random.choice(list(Customer.objects.order_by("reference")))
            why = UnblockReason.OTHER if customer.blocked else BlockReason.OTHER
            blocking.change(customer.pk, reason=why, note="By a test.", by=OPERATOR, at=NOON)
        project()

    log = read_log()
    recorded = [risk.features for _, event in log if (risk := getattr(event, "risk", None))]

    # Positions have gaps, so they are not compared. Lists are no part of a customer's history.
    assert [replace(each, position=0) for each in one_pass(log).values()] == [
        replace(each, position=0, lists=None) for each in recorded
    ]
    assert len(recorded) == 40
    for fact in ("blocked", "new_customer", "paid_by_card_before"):
        assert {getattr(each, fact) for each in recorded} == {True, False}


def random_log(random: Random, *, payments: int) -> Iterator[tuple[UUID, int, AnyEvent]]:
    """Yield stream, version and event. Imported payments are not in the order of their times."""
    customers = [UUID(int=random.getrandbits(128)) for _ in range(60)]
    at = NOON
    open_payments: list[tuple[UUID, dict[str, Any]]] = []
    versions: dict[UUID, int] = defaultdict(int)
    begun = 0
    while begun < payments:
        at += timedelta(minutes=random.randrange(3))
        kind = random.random()
        if kind < 0.02:
            customer = random.choice(customers)
            versions[customer] += 1
            yield customer, versions[customer], block(customer, at, blocks=random.random() < 0.6)
        elif kind < 0.2 and open_payments:
            place = random.randrange(len(open_payments))
            payment, terms = open_payments.pop(place)
            whole = terms["amount"].minor
            minor = whole if random.random() < 0.7 else whole // 2
            amount = Money(minor, terms["amount"].currency)
            yield payment, 3, refunded(**terms | {"at": at, "refund": amount, "refunded": amount})
        else:
            begun += 1
            payment = UUID(int=random.getrandbits(128))
            then = at - timedelta(hours=random.randrange(30)) if random.random() < 0.1 else at
            terms = {
                "at": then,
                "initiated_at": then,
                "customer_id": random.choice(customers),
                "amount": Money(random.randrange(1, 10**6), random.choice(["USD", "EUR"])),
                "method": random.choice(list(Method)),
            }
            yield payment, 1, initiated(**terms)
            if random.random() < 0.9:
                yield payment, 2, processed(**terms, risk=None)
                open_payments.append((payment, terms))


def block(customer_id: UUID, at: datetime, *, blocks: bool) -> AnyCustomerEvent:
    fields: dict[str, Any] = {
        "at": at,
        "client_id": CLIENT,
        "customer_id": customer_id,
        "by": OPERATOR,
        "note": NOTE,
    }
    if blocks:
        return BlockPlaced(reason=BlockReason.OTHER, **fields)
    return BlockLifted(reason=UnblockReason.OTHER, **fields)


def append(events: list[tuple[UUID, int, AnyEvent]]) -> list[int]:
    """Append the events of many streams in this order, and return their positions."""
    rows = [
        {
            "aggregate_type": event.event_type.partition(".")[0],
            "aggregate_id": stream,
            "version": version,
            "event_type": event.event_type,
            "schema_version": event.schema_version,
            "data": event,
            "metadata": BY_TEST,
            "occurred_at": event.at,
        }
        for stream, version, event in events
    ]
    return store.insert(batches._APPEND, {"events": codec.encode_rows(rows)})


def read_log() -> list[tuple[int, AnyEvent]]:
    aggregates: tuple[Aggregate[Any, Any], ...] = (PAYMENT_AGGREGATE, CUSTOMER_AGGREGATE)
    found = [
        (record.position, record.event)
        for aggregate in aggregates
        for record in horizon.read_next(aggregate, after=0, upto=2**62, limit=10_000).records
    ]
    return sorted(found, key=itemgetter(0))


def one_pass(log: Iterable[tuple[int, AnyEvent]]) -> dict[int, RiskFeatures]:
    """Return the features of each payment by its position."""
    found = {}
    histories: dict[UUID, CustomerHistory] = defaultdict(CustomerHistory)
    for position, event in log:
        history = histories[event.customer_id]
        if isinstance(event, PaymentInitiated):
            found[position] = history.features(
                position, at=event.initiated_at, currency=event.amount.currency
            )
        if (change := change_of(event)) is not None:
            history.apply(change)
    return found


def features_of(row: tuple[Any, ...]) -> RiskFeatures:
    position, paid_by_card, new, blocked, *velocity = row
    count_1h, volume_1h, count_24h, volume_24h = map(int, velocity)
    return RiskFeatures(
        paid_by_card_before=paid_by_card,
        position=position - 1,
        age_ms=0,
        new_customer=new,
        blocked=blocked,
        velocity=Velocity(
            count_1h=count_1h, volume_1h=volume_1h, count_24h=count_24h, volume_24h=volume_24h
        ),
    )
