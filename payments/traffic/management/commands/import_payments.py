"""Import a file of past payments."""

import textwrap
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from payments.domain.methods import Method
from payments.domain.money import CURRENCIES, RETIRED, Money
from payments.traffic import imports, rows
from payments.traffic.amounts import Amounts, Decimals
from payments.traffic.command import FORMATS, ImportCommand
from payments.traffic.importing import Report, import_file
from payments.traffic.imports import Refuse
from payments.traffic.layout import Layout


def _currencies() -> str:
    """Return the codes in lines that fit a terminal."""
    retired = ", ".join(f"{code} {day}" for code, day in sorted(RETIRED.items()))
    lines = (
        f"Currencies: {' '.join(sorted(CURRENCIES))}.",
        f"Also, for payments before the given day (UTC): {retired}.",
    )
    return "".join(textwrap.fill(line, 95, subsequent_indent="  ") + "\n" for line in lines)


class Command(ImportCommand):
    help = (
        "Import a file of past payments: CSV in UTF-8 or whitespace-separated columns. The first line names"
        " the columns. Risk is not assessed."
    )
    fields = rows.FIELDS
    epilog = (
        "Examples:\n"
        "  ./manage.py import_payments cdnow_master.txt --map amount=dollar_value \\\n"
        "      --set currency=USD,method=credit_card,client=CDNOW\n"
        "  ./manage.py import_payments old.csv --set client='Acme Ltd' --rejects refused.csv\n"
        "  ./manage.py import_payments zahlungen.csv --delimiter semicolon --decimal comma\n\n"
        f"Fields: {', '.join(rows.FIELDS.all)} (reference is optional).\n"
        f"Methods: {', '.join(Method)}.\n"
        f"{_currencies()}"
        f"{FORMATS}"
    )

    def check_constants(self, layout: Layout, decimals: Decimals | None, *, now: datetime) -> None:
        rows.check_constants(layout, Amounts(decimals), now=now)

    def import_file(
        self,
        path: Path,
        layout: Layout,
        decimals: Decimals | None,
        *,
        refuse: Refuse,
        progress: Callable[[int], None],
        options: Mapping[str, Any],
    ) -> Report:
        return import_file(path, layout, refuse=refuse, decimals=decimals, progress=progress)

    def show_totals(self, report: imports.Report) -> None:
        assert isinstance(report, Report)  # noqa: S101 - from `import_file`
        for currency, total in sorted(report.totals.items()):
            self.show_count("in the log", total.count, str(Money(total.minor, currency)))
