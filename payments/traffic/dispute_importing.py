"""Import dispute notices from a file. Another run with the same file adds only what is missing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from payments import actors
from payments.application import bulk, disputes
from payments.application.bulk import Decision
from payments.application.dispatch import CommandContext, referenced
from payments.clients.models import Client
from payments.domain.payment.commands import AnyNotice
from payments.domain.payment.refusals import DisputeTooLarge, PaymentError
from payments.traffic import imports, lines
from payments.traffic.amounts import Decimals
from payments.traffic.dispute_rows import AMOUNTS, Notice, NoticeRows
from payments.traffic.imports import Refuse, Report
from payments.traffic.layout import Layout, RowError
from payments.traffic.lines import Line
from payments.traffic.scratch import Scratch

Record = Callable[[Sequence[AnyNotice]], list[Decision]]


def import_file(
    path: Path,
    layout: Layout,
    *,
    refuse: Refuse,
    decimals: Decimals | None = None,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Import the file's notices. `refuse` gets each refused line with a code and a reason.

    A notice that is too large for its payment is tried again at the end, because later lines may
    make room. With `dry_run` nothing is stored, and the report is that of a real run. `progress`
    gets the number of bytes read. Raises OSError, and OperationalError if the database is
    unreachable.
    """
    report = Report(run=None if dry_run else str(uuid4()))
    rows = NoticeRows(layout, imports.amounts_of(path, layout, decimals, fields=AMOUNTS))
    with Scratch() as scratch:
        record: Record = partial(_rehearse, scratch)
        if not dry_run:
            context = CommandContext(actor=actors.operator(), correlation_id=report.run)
            record = partial(disputes.record_all, context=context)
        run = _Run(rows, record, report, refuse, scratch)
        for batch in imports.batches(
            lines.read(path, layout.delimiter, skip=layout.header_records)
        ):
            run.take(batch)
            progress(batch[-1].position)
        run.take_postponed()
    return report


def _rehearse(scratch: Scratch, notices: Sequence[AnyNotice]) -> list[Decision]:
    """Decide on the notices as if all earlier ones were recorded, without storing events."""
    payment_ids = {each.payment_id for each in notices}
    changed = scratch.payments(payment_ids)
    payments = {**bulk.load(payment_ids - changed.keys()), **changed}
    before = dict(payments)
    decisions = bulk.decide_all(payments, notices)
    scratch.keep(
        {
            payment_id: payment
            for payment_id, payment in payments.items()
            if payment is not None and payment is not before[payment_id]
        }
    )
    return decisions


class _Run:
    def __init__(
        self, rows: NoticeRows, record: Record, report: Report, refuse: Refuse, scratch: Scratch
    ) -> None:
        self._rows, self._record, self._report = rows, record, report
        self._refuse, self._scratch = refuse, scratch
        self._clients: dict[str, UUID] = {}

    def take(self, batch: Iterable[Line], *, again: bool = False) -> None:
        """Import a batch in two statements (one if it is known), after one that finds references.

        `again` is set if the lines were postponed before.
        """
        now = datetime.now(UTC)
        read = []
        for line in batch:
            try:
                read.append((line, self._rows.read(line, now=now)))
            except RowError as error:
                self._refused(line, error.code, str(error))
        self._find_clients(notice for _, notice in read)
        found = referenced(
            {
                (self._clients[notice.client], notice.reference)
                for _, notice in read
                if notice.reference is not None and notice.client in self._clients
            }
        )
        sent = []
        for line, notice in read:
            try:
                sent.append((line, self._command(notice, found, now)))
            except RowError as error:
                self._refused(line, error.code, str(error))
        decisions = self._record([command for _, command in sent])
        for (line, _), decision in zip(sent, decisions, strict=True):
            if isinstance(decision, DisputeTooLarge):
                self._scratch.postpone(line, decision.code, str(decision))
                continue
            if again:
                self._scratch.drop(line)
            self._count(line, decision)

    def take_postponed(self) -> None:
        """Retry postponed lines until no more of them are accepted, then refuse the rest."""
        progress = True
        while progress:
            before = self._report.accepted
            for batch in self._scratch.postponed():
                self.take([line for line, _, _ in batch], again=True)
            progress = self._report.accepted > before
        for batch in self._scratch.postponed():
            for refusal in batch:
                self._refused(*refusal)

    def _count(self, line: Line, decision: Decision) -> None:
        if isinstance(decision, PaymentError):
            self._refused(line, decision.code, str(decision))
        elif decision:
            self._report.accepted += 1
        else:
            self._report.known += 1

    def _refused(self, line: Line, code: str, reason: str) -> None:
        self._report.refused += 1
        self._refuse(line, code, reason)

    def _find_clients(self, notices: Iterable[Notice]) -> None:
        names = {notice.client for notice in notices if notice.client is not None}
        if unknown := names - self._clients.keys():
            found = Client.objects.filter(name__in=unknown)
            self._clients |= dict(found.values_list("name", "pk"))

    def _command(
        self, notice: Notice, found: Mapping[tuple[UUID, str], UUID], now: datetime
    ) -> AnyNotice:
        client_id = None
        if notice.client is not None:
            client_id = self._clients.get(notice.client)
            if client_id is None:
                raise RowError("unknown_client", f"There is no client {notice.client!r}.")
        payment_id = notice.payment_id
        if client_id is not None and notice.reference is not None:
            payment_id = found.get((client_id, notice.reference))
        if payment_id is None:
            raise RowError(
                "unknown_reference",
                f"{notice.client} has no payment with the reference {notice.reference!r}.",
            )
        return notice.command(payment_id, client_id, at=now)
