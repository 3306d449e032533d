"""Shows where the projections stand."""

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any, Final, TextIO, cast

import msgspec
from django.core.management.base import BaseCommand
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from readmodels import lag

_WIDE: Final = 200


class Command(BaseCommand):
    help = "Show each projection's version, position and lag behind the event log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  manage.py projections\n"
            "  manage.py projections --json | jq '.[].seconds'\n\n"
            "Exit codes: 0 all projections run, 1 one stands still, asks for a rebuild or has\n"
            "parked events."
        )
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *_: Any, **options: Any) -> None:
        lags = lag.measure()
        if options["json"]:
            self.stdout.write(json.dumps([msgspec.to_builtins(each) for each in lags], indent=2))
        else:
            console = Console(file=cast("TextIO", self.stdout))
            if not console.is_terminal:
                console.width = _WIDE  # whatever reads it wants whole lines
            console.print(_table(lags))
        if any(each.error or each.needs_rebuild or each.parked for each in lags):
            raise SystemExit(1)


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


def _status(each: lag.Lag) -> str:
    if each.needs_rebuild:
        return f"rebuild: manage.py rebuild_projections {each.name}"
    if each.error:
        return f"stands still: {each.error}"
    if each.parked:
        return "events are parked: manage.py parked"
    return "behind" if each.events else "current"
