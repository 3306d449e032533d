"""Imports a file of past payments."""

import csv
import re
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections import Counter
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from rich.markup import escape

from payments.domain.card_numbers import holds_card_number
from payments.domain.money import Money
from payments.progress import progress_bar
from payments.traffic import importing, lines
from payments.traffic.lines import Line
from payments.traffic.rows import FIELDS, Layout, LayoutError

_REFUSED_STATUS: Final = 3
_INTERRUPTED_STATUS: Final = 130


class Command(BaseCommand):
    help = (
        "Import a file of past payments: CSV (comma, semicolon or tab) or columns apart by blanks,"
        " with a first line that names the columns. Risk is not assessed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  manage.py import_payments cdnow_master.txt --map amount=dollar_value \\\n"
            "      --set currency=USD,method=credit_card,client=CDNOW\n"
            "  manage.py import_payments old.csv --set client='Acme Ltd' --rejects refused.csv\n\n"
            f"Fields: {', '.join(FIELDS)} (reference is optional).\n"
            "Amounts are decimals such as 11.77, dates like 1997-01-31 or 19970131 or with a time, in UTC.\n"
            "A second run adds nothing, and one that was killed goes on where it was.\n\n"
            "Exit status: 0 done, 1 nothing could be imported, 3 with --strict if a row was refused."
        )
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--map",
            type=_pairs,
            action="extend",
            default=[],
            metavar="FIELD=COLUMN,...",
            help="where a field's column has another name",
        )
        parser.add_argument(
            "--set",
            type=_pairs,
            action="extend",
            default=[],
            metavar="FIELD=VALUE,...",
            help="what is the same for all rows",
        )
        parser.add_argument(
            "--rejects",
            type=Path,
            metavar="FILE",
            help="where refused rows go; default: FILE.rejected.csv in the current folder",
        )
        parser.add_argument(
            "--strict", action="store_true", help="exit with 3 if a row was refused"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        path: Path = options["file"]
        rejects = _Rejects(options["rejects"] or Path(f"{path.name}.rejected.csv"))
        try:
            if not path.is_file():
                raise CommandError(f"There is no file {path}.")
            layout = Layout.of(
                lines.header(path), _once("--map", options["map"]), _once("--set", options["set"])
            )
            with rejects, progress_bar(escape(path.name), total=path.stat().st_size) as progress:
                report = importing.import_file(path, layout, refuse=rejects.add, progress=progress)
                progress(path.stat().st_size)
        except LayoutError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename or path}: {error.strerror}.") from error
        except (OperationalError, InterfaceError) as error:
            raise CommandError(
                f"The database went away. The same command goes on from here. {str(error).strip()}"
            ) from error
        except KeyboardInterrupt:
            self.stderr.write("Stopped. The same command goes on from here.")
            raise SystemExit(_INTERRUPTED_STATUS) from None
        self._tell(report, rejects.path)
        if report.refused and options["strict"]:
            raise SystemExit(_REFUSED_STATUS)

    def _tell(self, report: importing.Report, rejects: Path) -> None:
        self.stdout.write(f"accepted          {report.accepted:>12,}")
        self.stdout.write(f"there already     {report.known:>12,}")
        where = f"   see {rejects}" if report.refused else ""
        self.stdout.write(f"refused           {report.refused:>12,}{where}")
        for currency, total in sorted(report.totals.items()):
            money = Money(total.minor, currency)
            self.stdout.write(f"in the log        {total.count:>12,}   {money}")
        if report.accepted:
            self.stdout.write(f"correlation id    {report.run}")


class _Rejects:
    """The refused rows as CSV, written as they come; no file if there are none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None

    def add(self, line: Line, code: str, reason: str) -> None:
        if self._file is None:
            self._file = self.path.open("w", newline="", encoding="utf-8")
            csv.writer(self._file).writerow(["line", "code", "reason", "content"])
        content = line.content.decode(errors="replace")
        if holds_card_number(content):
            # It must not be stored here either, whatever the row was refused for.
            content, reason = "", "The line looks as if it held a card number."
        csv.writer(self._file).writerow([line.number, code, reason, content])

    def __enter__(self) -> None:
        self.path.unlink(missing_ok=True)  # of an earlier run

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for part in re.split(r",(?=\s*\w+=)", text):  # a value may have commas: Acme, Inc.
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise ArgumentTypeError(f"{part!r} is not like NAME=VALUE")
        pairs.append((name.strip(), value.strip()))
    return pairs


def _once(option: str, pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Raises CommandError for a name that was given twice, in one option or in several."""
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise CommandError(f"{option} {name}: it stands there twice.")
    return dict(pairs)
