"""Import a file of dispute notices."""

import textwrap
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError

from payments.domain.payment.codes import DisputeKind, DisputeOutcome, DisputeReason
from payments.traffic import dispute_rows, imports
from payments.traffic.amounts import Amounts, Decimals
from payments.traffic.command import FORMATS, ImportCommand
from payments.traffic.dispute_importing import import_file
from payments.traffic.dispute_rows import NoticeType
from payments.traffic.imports import Refuse
from payments.traffic.layout import Layout

_REASONS: Final = (
    textwrap.fill(f"  reason         {', '.join(DisputeReason)}", 95, subsequent_indent=" " * 17)
    + "\n"
)


class Command(ImportCommand):
    help = (
        "Import a file of notices that disputes of payments were opened, updated or closed: CSV in UTF-8 or"
        " whitespace-separated columns. The first line names the columns. Lines may be in any order."
    )
    fields = dispute_rows.FIELDS
    epilog = (
        "Examples:\n"
        "  ./manage.py import_disputes disputes.csv --set client='Acme Ltd' --dry-run\n"
        "  ./manage.py import_disputes opened.csv --currency EUR --set notice=open,client='Acme Ltd' \\\n"
        "      --map 'dispute_id=case,reference=order,date=received,respond_by=due'\n"
        "  ./manage.py import_disputes lost.csv --set notice=close,outcome=lost --map date=closed_at\n\n"
        "Each line needs dispute_id, notice, date (when it happened) and its payment: payment_id, or\n"
        "client (the name) and reference. Lines of one dispute may be in any order. Responses are recorded\n"
        "through the API or in the back office.\n"
        f"  notice         {', '.join(NoticeType)}\n"
        "  open, update   need amount, currency, kind, reason, and may have network,\n"
        "                 network_reason_code and respond_by\n"
        "  close          needs outcome, currency, and lost_amount unless won or withdrawn. The other\n"
        "                 fields describe the dispute if it has no open or update.\n"
        f"  kind           {', '.join(DisputeKind)}\n"
        f"{_REASONS}"
        f"  outcome        {', '.join(DisputeOutcome)}\n\n"
        f"{FORMATS}"
    )
    known = "nothing new"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--currency", metavar="CODE", help="the currency of all rows, like --set currency=CODE"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="report what would happen, and store nothing"
        )

    def constants(self, options: Mapping[str, Any]) -> dict[str, str]:
        constants = super().constants(options)
        if options["currency"] is None:
            return constants
        if "currency" in constants:
            raise CommandError("currency is in both --currency and --set. Use one of them.")
        return {**constants, "currency": options["currency"]}

    def check_constants(self, layout: Layout, decimals: Decimals | None, *, now: datetime) -> None:
        dispute_rows.check_layout(layout, Amounts(decimals), now=now)

    def import_file(
        self,
        path: Path,
        layout: Layout,
        decimals: Decimals | None,
        *,
        refuse: Refuse,
        progress: Callable[[int], None],
        options: Mapping[str, Any],
    ) -> imports.Report:
        return import_file(
            path,
            layout,
            refuse=refuse,
            decimals=decimals,
            dry_run=options["dry_run"],
            progress=progress,
        )
