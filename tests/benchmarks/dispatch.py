"""Commands per second of dispatch, against the same statements in pgbench and against CRUD."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar, Final
from uuid import UUID, uuid4

from django.db import connection, models, transaction

from payments.application.dispatch import CommandContext, dispatch, dispatch_new
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.codes import ApprovalReason
from payments.domain.payment.commands import ApprovePayment, ProcessPayment
from payments.domain.risk.conditions import RiskFeatures
from tests.benchmarks.harness import Figure, Work, in_turns, per_second, pgbench

_SECONDS: Final = 3
_CLIENTS: Final = ((2, 8), (1, 1))  # processes, threads
_GOALS: Final = {16: (0.30, 2.0), 1: (0.52, 1.8)}
# More flagged payments than all clients together can approve in one round.
_STOCK: Final = 15_000

# What a command executes to load a stream and append to it, without the query for a snapshot.
_PGBENCH: Final = """
\\set n random(1, 20000)
\\set version 2 * random(2, 1000000000)
SELECT position, version, event_type, schema_version, data::text,
       CASE WHEN metadata ->> 'key' = 'x' THEN metadata::text END
  FROM benchmark_event WHERE aggregate_id = md5(:n::text)::uuid AND version < 3 ORDER BY version;
INSERT INTO benchmark_event (aggregate_type, aggregate_id, version, event_type, schema_version,
                             data, metadata, occurred_at)
SELECT aggregate_type, md5(:n::text)::uuid, :version::int + version, event_type, schema_version,
       data, metadata, occurred_at
  FROM benchmark_template;
"""


class CrudPayment(models.Model):
    """A payment without events: one mutable row."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    client_id = models.UUIDField()
    customer_id = models.UUIDField()
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    method = models.CharField(max_length=20)
    status = models.CharField(max_length=20)
    reviewer = models.CharField(max_length=100, blank=True)
    initiated_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects: ClassVar[models.Manager["CrudPayment"]] = models.Manager()

    class Meta:
        app_label = "benchmarks"
        db_table = "benchmark_crud"

    def __str__(self) -> str:
        return str(self.id)


def run() -> list[Figure]:
    """Approve flagged payments: load two events, fold, decide, append two."""
    figures = []
    with _tables():
        for processes, threads in _CLIENTS:
            clients = processes * threads
            medians = in_turns(
                {
                    "pgbench": partial(pgbench, _PGBENCH, clients=clients, seconds=_SECONDS),
                    "dispatch": partial(
                        per_second,
                        partial(_approve, _STOCK // clients),
                        processes=processes,
                        threads=threads,
                        seconds=_SECONDS,
                    ),
                    "crud": partial(
                        per_second,
                        partial(_update_row, _STOCK // clients),
                        processes=processes,
                        threads=threads,
                        seconds=_SECONDS,
                    ),
                }
            )
            for baseline, goal, name in (
                ("pgbench", _GOALS[clients][0], "pgbench SELECT; INSERT"),
                ("crud", _GOALS[clients][1], "Django CRUD without an audit trail"),
            ):
                figures.append(
                    Figure(
                        what=f"dispatch, {clients} clients, against {name}",
                        rate=medians["dispatch"],
                        baseline=medians[baseline],
                        unit="/s",
                        goal=goal,
                    )
                )
    return figures


def _approve(stock: int, _client: int) -> Work:
    """Approve flagged payments, one after the other."""
    client_id = uuid4()
    flagged = [_flagged(client_id) for _ in range(stock)]
    request = CommandContext(actor="staff:1")
    for chunk in range(0, stock, 500):
        dispatch_new([(command, request) for command in flagged[chunk : chunk + 500]])
    waiting = iter(flagged)

    def work() -> None:
        payment_id = next(waiting).payment_id
        command = ApprovePayment(
            payment_id=payment_id,
            client_id=None,
            reviewer="staff:1",
            reason=ApprovalReason.KNOWN_CUSTOMER,
            at=datetime.now(UTC),
        )
        dispatch(command, CommandContext(actor="staff:1", key=str(payment_id)))

    return work


def _update_row(stock: int, _client: int) -> Work:
    """Approve rows instead of streams, without a history."""
    now = datetime.now(UTC)
    rows = [
        CrudPayment(
            client_id=uuid4(),
            customer_id=uuid4(),
            amount=15_000_00,
            currency="USD",
            method="credit_card",
            status="pending_review",
            initiated_at=now,
            updated_at=now,
        )
        for _ in range(stock)
    ]
    CrudPayment.objects.bulk_create(rows, batch_size=500)
    waiting = iter(rows)

    def work() -> None:
        with transaction.atomic():
            payment = CrudPayment.objects.select_for_update().get(pk=next(waiting).pk)
            payment.status = "completed"
            payment.reviewer = "staff:1"
            payment.updated_at = datetime.now(UTC)
            payment.save()

    return work


def _flagged(client_id: UUID) -> ProcessPayment:
    return ProcessPayment(
        payment_id=uuid4(),
        client_id=client_id,
        customer_id=uuid4(),
        amount=Money(15_000_00, "USD"),
        method=Method.CREDIT_CARD,
        features=RiskFeatures(paid_by_card_before=False, position=0, age_ms=0),
        at=datetime.now(UTC),
    )


@contextmanager
def _tables() -> Iterator[None]:
    """Create a copy of the log's table with 20,000 streams for pgbench, and the CRUD table."""
    command = _flagged(uuid4())
    dispatch(command, CommandContext(actor="client:benchmark", key="benchmark"))
    with connection.schema_editor() as editor:
        editor.create_model(CrudPayment)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE benchmark_event (LIKE events_event INCLUDING ALL)")
        cursor.execute(
            "CREATE TABLE benchmark_template AS SELECT * FROM events_event WHERE aggregate_id = %s",
            [command.payment_id],
        )
        cursor.execute(
            """INSERT INTO benchmark_event (aggregate_type, aggregate_id, version, event_type,
                                            schema_version, data, metadata, occurred_at)
               SELECT aggregate_type, md5(n::text)::uuid, version, event_type, schema_version, data,
                      metadata, occurred_at
                 FROM benchmark_template, generate_series(1, 20000) AS n ORDER BY n, version"""
        )
        cursor.execute("ANALYZE benchmark_event")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE benchmark_event, benchmark_template, benchmark_crud")
