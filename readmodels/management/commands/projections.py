"""Show the state of the projections, and check their tables against the log."""

import json
import os
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any, Final

import msgspec
from django.core.management.base import BaseCommand, CommandError
from rich.box import SIMPLE_HEAD
from rich.table import Table

from payments.events import contradictions
from payments.events.reading import holders, horizon
from payments.events.seals import sealing
from payments.printing import print_table
from payments.progress import progress_bar
from readmodels.engine import lag
from readmodels.management import comparisons
from readmodels.projections import PROJECTIONS
from readmodels.projections.kinds import Rows
from readmodels.rebuild import checking, rebuilding, schemas
from readmodels.rebuild.compare import SAMPLE

_DRIFTED: Final = 2


class Command(BaseCommand):
    help = "Show each projection's version, position and lag behind the event log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py projections\n"
            "  ./manage.py projections --json | jq '.[].seconds'\n"
            "  ./manage.py projections --check                compare all rows with the log\n"
            "  ./manage.py projections --check --sample 1000  compare the rows of 1000 payments\n\n"
            "Exit codes: 0 all projections run; 1 a projection is stalled, needs a rebuild or has parked\n"
            "events, a transaction holds them back, or the log is contradicted (the output shows the\n"
            "repair); 2 --check found rows that differ from the log."
        )
        modes = parser.add_mutually_exclusive_group()
        modes.add_argument("--json", action="store_true", help="print JSON for programs")
        modes.add_argument(
            "--check",
            action="store_true",
            help="build all tables next to the live ones, and compare",
        )
        parser.add_argument(
            "--sample", type=int, metavar="N", help="with --check: only N random payments"
        )

    def handle(self, *_: Any, check: bool, sample: int | None, **options: Any) -> None:
        if sample is not None and (sample < 1 or not check):
            raise CommandError("--sample needs --check and a number above 0.")
        found = contradictions.find()
        if check:
            for each in found:
                self.stderr.write(str(each))
            try:
                same = self._check_all() if sample is None else self._check_sample(sample)
            except rebuilding.FAILURES as error:
                raise CommandError(str(error).strip()) from error
            if not same:
                self.stdout.write("Repair with: ./manage.py rebuild_projections")
                raise SystemExit(_DRIFTED)
            if found:
                raise SystemExit(1)
            return
        lags = lag.measure()
        held = holders.open_appends(longer_than=holders.LONG_SECONDS)
        if options["json"]:
            self.stdout.write(json.dumps([msgspec.to_builtins(each) for each in lags], indent=2))
        else:
            print_table(_table(lags), self.stdout)
            self.stdout.write(_positions(lags))
            for append in held:
                self.stdout.write(str(append))
            for schema in schemas.left_behind():
                self.stdout.write(_left_behind(schema))
        for each in found:
            self.stderr.write(str(each))
        if held or found or any(each.state not in {"current", "behind"} for each in lags):
            raise SystemExit(1)

    def _check_all(self) -> bool:
        with progress_bar("Checking", total=horizon.last_position()) as progress:
            rebuilt = rebuilding.rebuild(
                list(PROJECTIONS.values()),
                dry_run=True,
                workers=os.cpu_count() or 1,
                progress=progress,
            )
        for line in comparisons.lines(rebuilt.comparisons):
            self.stdout.write(line)
        return all(each.same for each in rebuilt.comparisons)

    def _check_sample(self, count: int) -> bool:
        same = True
        for projection in PROJECTIONS.values():
            if not isinstance(projection, Rows):
                self.stdout.write(
                    f"{projection.name}: not checked, because --sample folds rows only"
                )
                continue
            checked = checking.check_sample(projection, count)
            same = same and not checked.drifted
            self.stdout.write(
                f"{checked.projection}: {checked.rows:,} rows, {len(checked.drifted):,} differ"
            )
            for difference in checked.drifted[:SAMPLE]:
                self.stdout.write(f"  {comparisons.describe(difference)}")
        return same


def _left_behind(schema: str) -> str:
    if schema == schemas.AS_OF:
        return (
            f"The schema {schema} holds the tables of rebuild_projections --as-of."
            f" Remove them with: DROP SCHEMA {schema} CASCADE"
        )
    return (
        f"A killed rebuild left the schema {schema}."
        " The next one removes it: ./manage.py rebuild_projections --dry-run"
    )


def _table(lags: list[lag.Lag]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("projection", no_wrap=True)
    for column in ("version", "position", "events behind", "seconds", "parked"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("status", overflow="fold")
    for each in lags:
        table.add_row(
            each.name,
            str(each.code_version),
            f"{each.position:,}",
            f"{each.events:,}" + ("+" if each.events == lag.COUNTED_TO else ""),
            f"{each.seconds:.1f}",
            f"{each.parked:,}",
            _status(each),
        )
    return table


def _positions(lags: list[lag.Lag]) -> str:
    """Return a line with the positions of the sequence, the log, the seals and the projections.

    Only the position of the sequence may be higher than that of the log.
    """
    seal = sealing.remembered()
    checkpoints = ", ".join(f"{each.name} {each.position:,}" for each in lags)
    return (
        f"Last assigned position {horizon.last_position():,}, last event {horizon.last_event():,},"
        f" last seal {seal.number:,} up to {seal.position:,}; checkpoints: {checkpoints}."
    )


def _status(each: lag.Lag) -> str:
    if each.ahead_of_log:
        return "ahead of the log: see below"
    if each.needs_rebuild:
        return f"rebuild: ./manage.py rebuild_projections {each.name}"
    if each.error:
        return f"stalled: {each.error}"
    if each.parked:
        return "events are parked: ./manage.py parked"
    return "behind" if each.events else "current"
