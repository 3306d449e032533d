"""Rebuild read models from the log next to the live ones, compare them, and swap them in."""

import os
import time
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from datetime import UTC, datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_date, parse_datetime

from payments.events.reading import horizon
from payments.progress import progress_bar
from readmodels.management import comparisons
from readmodels.projections import PROJECTIONS
from readmodels.projections.kinds import Projection
from readmodels.rebuild.rebuilding import FAILURES, rebuild, rebuild_as_of
from readmodels.rebuild.schemas import AS_OF

_DIFFERENT: Final = 2
_MOST_WORKERS: Final = 64

_HOW_TO_QUERY: Final = """\
Query the tables in psql or ./manage.py dbshell:
  BEGIN; SET LOCAL search_path = {schema}, public;
  SELECT status, count(*) FROM readmodels_paymentsummary GROUP BY status; COMMIT;
Remove them with: DROP SCHEMA {schema} CASCADE;"""


class Command(BaseCommand):
    help = (
        "Rebuild read models from the event log, compare them with the live ones, and swap them in."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Reads and writes continue during the rebuild. The role must own the tables.\n"
            "The connection must not go through a pooler in transaction mode.\n\n"
            "Examples:\n"
            "  ./manage.py rebuild_projections                     all, in one pass over the log\n"
            "  ./manage.py rebuild_projections daily_statistics    only this one\n"
            "  ./manage.py rebuild_projections --dry-run           only compare\n"
            "  ./manage.py rebuild_projections --as-of 2026-06-30T18:00Z\n"
            "                                                    as of that time, in a separate schema\n\n"
            f"Projections: {', '.join(PROJECTIONS)}\n"
            "Exit codes: 0 done, 1 failed without a change, 2 --dry-run found differences."
        )
        parser.add_argument("names", nargs="*", metavar="NAME", help="default: all projections")
        modes = parser.add_mutually_exclusive_group()
        modes.add_argument("--dry-run", action="store_true", help="stop after the comparison")
        modes.add_argument(
            "--as-of",
            type=_moment,
            metavar="TIME",
            help=f"build the tables as of this time (ISO 8601) in the schema {AS_OF}",
        )
        parser.add_argument(
            "--workers",
            type=_count,
            default=os.cpu_count() or 1,
            metavar="N",
            help="number of processes (default: one per core)",
        )

    def handle(
        self, *_: Any, names: list[str], as_of: datetime | None, workers: int, **options: Any
    ) -> None:
        unknown = sorted(set(names) - set(PROJECTIONS))
        if unknown:
            raise CommandError(
                f"There is no projection {unknown[0]!r}. Valid: {', '.join(PROJECTIONS)}."
            )
        projections = [PROJECTIONS[name] for name in dict.fromkeys(names or PROJECTIONS)]
        failed = "Nothing was changed." if as_of is None else "No tables were built."
        try:
            if as_of is not None:
                self._build_as_of(projections, as_of, workers)
            else:
                self._rebuild(projections, workers, dry_run=options["dry_run"])
        except FAILURES as error:
            raise CommandError(f"{failed} {str(error).strip()}") from error

    def _rebuild(self, projections: list[Projection], workers: int, *, dry_run: bool) -> None:
        started = time.monotonic()
        # Positions have gaps, so the last one is slightly above the number of events.
        with progress_bar("Building", total=horizon.last_position()) as progress:
            rebuilt = rebuild(projections, dry_run=dry_run, workers=workers, progress=progress)
        for line in comparisons.lines(rebuilt.comparisons):
            self.stdout.write(line)
        done = "Built and compared" if dry_run else "Rebuilt"
        self.stdout.write(_summary(done, projections, rebuilt.events, time.monotonic() - started))
        if dry_run and not all(each.same for each in rebuilt.comparisons):
            self.stdout.write("Repair with: ./manage.py rebuild_projections")
            raise SystemExit(_DIFFERENT)

    def _build_as_of(self, projections: list[Projection], until: datetime, workers: int) -> None:
        started = time.monotonic()
        with progress_bar("Building", total=horizon.last_position()) as progress:
            events = rebuild_as_of(projections, until, workers=workers, progress=progress)
        self.stdout.write(_summary("Built", projections, events, time.monotonic() - started))
        self.stdout.write(_HOW_TO_QUERY.format(schema=AS_OF))


def _summary(done: str, projections: list[Projection], events: int, seconds: float) -> str:
    names = ", ".join(projection.name for projection in projections)
    rate = events / max(seconds, 0.001)
    return f"{done} {names} from {events:,} events in {seconds:.1f} s ({rate:,.0f}/s)."


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
        if moment is None and (day := parse_date(text)) is not None:
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    except ValueError:
        moment = None
    if moment is None:
        raise ArgumentTypeError(f"{text!r} is not a time such as 2026-06-30T18:00Z or 2026-06-30")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= _MOST_WORKERS:
        raise ArgumentTypeError(f"{text!r} is not between 1 and {_MOST_WORKERS}")
    return int(text)
