"""Import a file of past payments."""

import re
import textwrap
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from rich.markup import escape

from payments.domain.methods import Method
from payments.domain.money import CURRENCIES, RETIRED, Money
from payments.progress import progress_bar
from payments.traffic import importing, lines
from payments.traffic.amounts import Decimals
from payments.traffic.layout import DELIMITERS, FIELDS, Layout, LayoutError
from payments.traffic.rejects import Rejects, RejectsError
from payments.traffic.rows import check_constants

_FAILED_STATUS: Final = 1
_REFUSED_STATUS: Final = 3
_INTERRUPTED_STATUS: Final = 130


class Command(BaseCommand):
    help = (
        "Import a file of past payments: CSV in UTF-8 or whitespace-separated columns. The first line names"
        " the columns. Risk is not assessed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py import_payments cdnow_master.txt --map amount=dollar_value \\\n"
            "      --set currency=USD,method=credit_card,client=CDNOW\n"
            "  ./manage.py import_payments old.csv --set client='Acme Ltd' --rejects refused.csv\n"
            "  ./manage.py import_payments zahlungen.csv --delimiter semicolon --decimal comma\n\n"
            f"Fields: {', '.join(FIELDS)} (reference is optional).\n"
            f"Methods: {', '.join(Method)}.\n"
            f"{_currencies()}"
            "Amounts are decimals in major units such as 11.77, with at most their currency's decimals.\n"
            "With --decimal point 1,234.56 is accepted too, with --decimal comma 1234,56 and 1.234,56.\n"
            "Dates are like 1997-01-31, 19970131 or 1997-01-31T13:45:00+01:00, in UTC without an offset.\n"
            "Quoted values may contain line breaks. Column names are compared without case.\n\n"
            "A second run adds nothing, and completes an interrupted one. Refused rows are written with the\n"
            "columns of the file: correct and import either the refused rows or the file, not both.\n\n"
            "Exit status: 0 done, 1 nothing could be imported, 3 with --strict if a row was refused."
        )
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--map",
            type=_pairs,
            action="extend",
            default=[],
            metavar="FIELD=COLUMN,...",
            help="columns that are not named like their field",
        )
        parser.add_argument(
            "--set",
            type=_pairs,
            action="extend",
            default=[],
            metavar="FIELD=VALUE,...",
            help="values that are the same for all rows",
        )
        parser.add_argument(
            "--delimiter",
            choices=tuple(DELIMITERS),
            help="column separator; default: detected from the first line",
        )
        parser.add_argument(
            "--decimal",
            choices=tuple(each.value for each in Decimals),
            help="decimal sign of amounts; the other sign may separate thousands",
        )
        parser.add_argument(
            "--rejects",
            type=Path,
            metavar="FILE",
            help="file of refused rows; default: FILE.rejected.csv in the current folder",
        )
        parser.add_argument(
            "--strict", action="store_true", help="exit with status 3 if a row was refused"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        path: Path = options["file"]
        decimals = Decimals(options["decimal"]) if options["decimal"] else None
        try:
            if not path.is_file():
                raise CommandError(f"There is no file {path}.")
            layout = self._layout(path, decimals, options)
            rejects = Rejects(options["rejects"] or Path(f"{path.name}.rejected.csv"), path, layout)
            with rejects, progress_bar(escape(path.name), total=path.stat().st_size) as progress:
                report = importing.import_file(
                    path, layout, refuse=rejects.add, decimals=decimals, progress=progress
                )
                progress(path.stat().st_size)
        except (LayoutError, RejectsError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename or path}: {error.strerror}.") from error
        except (OperationalError, InterfaceError) as error:
            raise CommandError(
                f"The database is unreachable. Run the same command again to continue. {str(error).strip()}"
            ) from error
        except KeyboardInterrupt:
            self.stderr.write("Stopped. Run the same command again to continue.")
            raise SystemExit(_INTERRUPTED_STATUS) from None
        self._report(report, rejects)
        if report.refused and options["strict"]:
            raise SystemExit(_REFUSED_STATUS)
        if report.refused and not report.accepted + report.known:
            raise SystemExit(_FAILED_STATUS)

    def _layout(self, path: Path, decimals: Decimals | None, options: dict[str, Any]) -> Layout:
        layout = Layout.of(
            lines.header(path),
            _once("--map", options["map"]),
            _once("--set", options["set"]),
            delimiter=DELIMITERS[options["delimiter"]] if options["delimiter"] else "",
        )
        check_constants(layout, decimals, now=datetime.now(UTC))
        return layout

    def _report(self, report: importing.Report, rejects: Rejects) -> None:
        self.stdout.write(f"accepted          {report.accepted:>12,}")
        self.stdout.write(f"already imported  {report.known:>12,}")
        where = f"   see {rejects.path}" if report.refused else ""
        self.stdout.write(f"refused           {report.refused:>12,}{where}")
        for code, count in rejects.frequent.most_common(1):
            self.stdout.write(f"most often        {count:>12,}   {code}: {rejects.reasons[code]}")
        for currency, total in sorted(report.totals.items()):
            money = Money(total.minor, currency)
            self.stdout.write(f"in the log        {total.count:>12,}   {money}")
        if report.accepted:
            self.stdout.write(f"correlation id    {report.run}")


def _currencies() -> str:
    """Return the codes in lines that fit a terminal."""
    retired = ", ".join(f"{code} {day}" for code, day in sorted(RETIRED.items()))
    lines_ = (
        f"Currencies: {' '.join(sorted(CURRENCIES))}.",
        f"Also, for payments before the given day (UTC): {retired}.",
    )
    return "".join(textwrap.fill(line, 95, subsequent_indent="  ") + "\n" for line in lines_)


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for part in re.split(r",(?=\s*\w+=)", text):  # values may contain commas: Acme, Inc.
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise ArgumentTypeError(f"{part!r} is not like NAME=VALUE")
        pairs.append((name.strip(), value.strip()))
    return pairs


def _once(option: str, pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return the pairs as a dictionary. Raises CommandError if a name occurs twice."""
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise CommandError(f"{option} {name}: given twice.")
    return dict(pairs)
