"""The base of the commands that import files: options, errors, exit status and report."""

import re
from abc import abstractmethod
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from rich.markup import escape

from payments.progress import progress_bar
from payments.traffic import imports, lines
from payments.traffic.amounts import Decimals
from payments.traffic.imports import Refuse
from payments.traffic.layout import DELIMITERS, Fields, Layout, LayoutError
from payments.traffic.rejects import Rejects, RejectsError

FORMATS: Final = (
    "Amounts are decimals in major units such as 11.77, with at most their currency's decimals.\n"
    "With --decimal point 1,234.56 is accepted too, with --decimal comma 1234,56 and 1.234,56.\n"
    "Dates are like 1997-01-31, 19970131 or 1997-01-31T13:45:00+01:00, in UTC without an offset.\n"
    "Quoted values may contain line breaks. Column names are compared without case.\n\n"
    "A second run adds nothing, and completes an interrupted one. Refused rows are written with the\n"
    "columns of the file: correct and import either the refused rows or the file, not both.\n\n"
    "Exit status: 0 done, 1 nothing could be imported, 3 with --strict if a row was refused."
)

_FAILED_STATUS: Final = 1
_REFUSED_STATUS: Final = 3
_INTERRUPTED_STATUS: Final = 130


class ImportCommand(BaseCommand):
    """A command that imports the rows of a file and writes the refused ones to another file."""

    fields: ClassVar[Fields]
    epilog: ClassVar[str]
    # The label in the report for rows that added nothing.
    known: ClassVar[str] = "already imported"

    @abstractmethod
    def check_constants(self, layout: Layout, decimals: Decimals | None, *, now: datetime) -> None:
        """Check the constants of the layout. Raises LayoutError."""

    @abstractmethod
    def import_file(
        self,
        path: Path,
        layout: Layout,
        decimals: Decimals | None,
        *,
        refuse: Refuse,
        progress: Callable[[int], None],
        options: Mapping[str, Any],
    ) -> imports.Report: ...

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = self.epilog
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
            layout = self._layout(path, options)
            self.check_constants(layout, decimals, now=datetime.now(UTC))
            rejects = Rejects(options["rejects"] or Path(f"{path.name}.rejected.csv"), path, layout)
            with rejects, progress_bar(escape(path.name), total=path.stat().st_size) as progress:
                report = self.import_file(
                    path, layout, decimals, refuse=rejects.add, progress=progress, options=options
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
        self._show(report, rejects)
        if report.refused and options["strict"]:
            raise SystemExit(_REFUSED_STATUS)
        if report.refused and not report.accepted + report.known:
            raise SystemExit(_FAILED_STATUS)

    def show_totals(self, report: imports.Report) -> None:
        """Print further lines of the report."""

    def constants(self, options: Mapping[str, Any]) -> dict[str, str]:
        return _once("--set", options["set"])

    def _layout(self, path: Path, options: Mapping[str, Any]) -> Layout:
        return Layout.of(
            lines.header(path),
            self.fields,
            _once("--map", options["map"]),
            self.constants(options),
            delimiter=DELIMITERS[options["delimiter"]] if options["delimiter"] else "",
        )

    def _show(self, report: imports.Report, rejects: Rejects) -> None:
        self.show_count("accepted", report.accepted)
        self.show_count(self.known, report.known)
        self.show_count("refused", report.refused, f"see {rejects.path}" if report.refused else "")
        for code, count in rejects.frequent.most_common(1):
            self.show_count("most often", count, f"{code}: {rejects.reasons[code]}")
        self.show_totals(report)
        if report.accepted and report.run is not None:
            self.stdout.write(f"correlation id    {report.run}")

    def show_count(self, label: str, count: int, comment: str = "") -> None:
        self.stdout.write(f"{label:<18}{count:>12,}   {comment}".rstrip())


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
