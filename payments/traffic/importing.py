"""Import past payments from a file. Each row is imported once, even after an interruption or a rerun."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from payments import actors, pseudonyms
from payments.application import dispatch, idempotency
from payments.application.idempotency import KeyReused
from payments.clients.models import Client
from payments.customers import registry
from payments.domain.money import Money
from payments.domain.payment.commands import ProcessPayment
from payments.domain.payment.refusals import PaymentError
from payments.events.metadata import Metadata
from payments.events.reading import streams
from payments.events.store import AlreadyReserved
from payments.traffic import imports, lines
from payments.traffic.amounts import Decimals
from payments.traffic.imports import Refuse
from payments.traffic.layout import Layout, RowError
from payments.traffic.lines import Line
from payments.traffic.rows import PastPayment, Rows

_ACTOR: Final = actors.system("import")


class Total(msgspec.Struct):
    """The number of payments in one currency, and their sum in minor units."""

    count: int = 0
    minor: int = 0


class Report(imports.Report):
    """The report with `totals` of the rows that are in the log now, by currency."""

    totals: dict[str, Total] = msgspec.field(default_factory=lambda: defaultdict(Total))


class _Row(Struct, frozen=True):
    line: Line
    command: ProcessPayment
    customer_reference: str
    context: dispatch.CommandContext


def import_file(
    path: Path,
    layout: Layout,
    *,
    refuse: Refuse,
    decimals: Decimals | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Import the file's rows. `refuse` gets each refused line with a code and a reason.

    A row's key is its content and its ordinal among equal rows, so a second run adds nothing.
    `progress` gets the number of bytes read. Raises OSError, and OperationalError if the database is
    unreachable.
    """
    run = str(uuid4())
    report = Report(run)
    clients = _Clients()

    def refused(line: Line, code: str, reason: str) -> None:
        report.refused += 1
        refuse(line, code, reason)

    rows = Rows(layout, imports.amounts_of(path, layout, decimals, fields=("amount",)))
    for batch in imports.batches(_rows(path, rows, clients, run, refused)):
        _import_batch(batch, report, refused)
        progress(batch[-1].line.position)
    return report


def _rows(
    path: Path,
    rows: Rows,
    clients: "_Clients",
    run: str,
    refused: Refuse,
) -> Iterator[_Row]:
    pseudonyms.require_key()
    now = datetime.now(UTC)
    for line in lines.numbered(path, rows.layout.delimiter, skip=rows.layout.header_records):
        try:
            payment = rows.read(line, now=now)
        except RowError as error:
            refused(line, error.code, str(error))
        else:
            yield _row(line, payment, clients.id_of(payment.client), run)


def _row(line: Line, payment: PastPayment, client_id: UUID, run: str) -> _Row:
    command = ProcessPayment(
        payment_id=idempotency.payment_id(client_id, line.key),
        client_id=client_id,
        customer_id=pseudonyms.customer_id(client_id, payment.customer_reference),
        amount=payment.amount,
        method=payment.method,
        reference=payment.reference,
        at=payment.at,
    )
    context = dispatch.CommandContext(actor=_ACTOR, key=line.key, correlation_id=run)
    return _Row(line, command, payment.customer_reference, context)


def _import_batch(batch: list[_Row], report: Report, refused: Refuse) -> None:
    """Import a batch: three statements if all payments are new, one if all are in the log."""
    known = streams.begun_by([row.command.payment_id for row in batch])
    fresh = [row for row in batch if row.command.payment_id not in known]
    registry.register_all(
        {row.command.customer_id: (row.command.client_id, row.customer_reference) for row in fresh}
    )
    # Rows with references are imported one by one, so a taken reference refuses only its row.
    unreferenced = [row for row in fresh if row.command.reference is None]
    accepted = dispatch.dispatch_new([(row.command, row.context) for row in unreferenced])
    report.accepted += accepted
    report.known += len(unreferenced) - accepted
    for row in unreferenced:
        _count(report, row.command.amount)
    for row in batch:
        if row.command.reference is not None or row.command.payment_id in known:
            _import_one(row, known.get(row.command.payment_id), report, refused)


def _import_one(
    row: _Row,
    first: Metadata | None,
    report: Report,
    refused: Refuse,
) -> None:
    try:
        if first is not None:
            digests = idempotency.field_digests(row.command, None)
            idempotency.check_same(first.digests, digests)
            report.known += 1
        elif dispatch.dispatch(row.command, row.context).replayed:
            report.known += 1
        else:
            report.accepted += 1
    except KeyReused as error:
        fields = ", ".join(error.fields)
        refused(row.line, "imported_differently", f"It was imported with another {fields}.")
    except AlreadyReserved as error:
        refused(row.line, "reference_taken", f"Payment {error.owner} has this reference.")
    except PaymentError as error:
        refused(row.line, error.code, str(error))
    else:
        _count(report, row.command.amount)


def _count(report: Report, amount: Money) -> None:
    total = report.totals[amount.currency]
    total.count += 1
    total.minor += amount.minor


class _Clients:
    """The ids of the clients that the rows name. A new name creates a client."""

    def __init__(self) -> None:
        self._ids: dict[str, UUID] = {}

    def id_of(self, name: str) -> UUID:
        if name not in self._ids:
            self._ids[name] = Client.objects.get_or_create(name=name)[0].pk
        return self._ids[name]
