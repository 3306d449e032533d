"""Show, retry and discard parked events."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.box import SIMPLE_HEAD
from rich.table import Table

from payments import actors
from payments.domain.text import TextError
from payments.events.reading.horizon import UnreadableEvent
from payments.printing import print_table
from payments.progress import progress_bar
from readmodels.engine import parking
from readmodels.engine.checkpoints import RebuildNeeded
from readmodels.models import ParkedEvent
from readmodels.projections import PROJECTIONS
from readmodels.projections.kinds import Counters, Rows

_SHOWN: Final = 50


class Command(BaseCommand):
    help = (
        "Show the events that projections could not apply, retry them, or discard one permanently."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py parked                                    the newest ones, with their errors\n"
            "  ./manage.py parked show payment_summary 4711          with the traceback\n"
            "  ./manage.py parked retry                              all, after you fixed the code\n"
            "  ./manage.py parked retry payment_summary 0f7c...      those of one payment\n"
            "  ./manage.py parked discard payment_summary 4711 --reason 'Double entry, see audit 12'\n\n"
            "This projection never applies a discarded event again, not even in a rebuild.\n"
            "Exit codes: 0 nothing is parked, 1 events are parked."
        )
        actions = parser.add_subparsers(dest="action", metavar="ACTION")
        actions.add_parser("list", help="the newest ones (default)")
        show = actions.add_parser("show", help="one with its traceback")
        retry = actions.add_parser("retry", help="apply them again")
        retry.add_argument("projection", nargs="?", choices=_NAMES)
        retry.add_argument("aggregate", nargs="?", type=UUID, metavar="PAYMENT")
        discard = actions.add_parser(
            "discard", help="never apply it, and retry the events that wait for it"
        )
        for parser_of_one in (show, discard):
            parser_of_one.add_argument("projection", choices=_NAMES)
            parser_of_one.add_argument("position", type=int)
        discard.add_argument("--reason", required=True, help="stored permanently; no personal data")

    def handle(self, *_: Any, action: str | None, **options: Any) -> None:
        try:
            match action:
                case "show":
                    self._show(options["projection"], options["position"])
                case "retry":
                    self._retry(options["projection"], options["aggregate"])
                case "discard":
                    self._discard(**options)
                case _:
                    self._list()
        except (parking.NotParked, RebuildNeeded, UnreadableEvent) as error:
            raise CommandError(str(error)) from error
        if ParkedEvent.objects.exists():
            raise SystemExit(1)

    def _list(self) -> None:
        rows = list(ParkedEvent.objects.defer("traceback")[: _SHOWN + 1])
        if not rows:
            self.stdout.write("Nothing is parked.")
            return
        table = Table(box=SIMPLE_HEAD)
        for column in ("projection", "position", "payment", "event", "attempts"):
            table.add_column(column, no_wrap=True)
        table.add_column("error", overflow="fold")
        for row in rows[:_SHOWN]:
            table.add_row(
                row.projection,
                str(row.position),
                str(row.aggregate_id),
                f"{row.event_type} v{row.version}",
                str(row.attempts),
                row.error or "waits for an earlier event of its payment",
            )
        print_table(table, self.stdout)
        if len(rows) > _SHOWN:
            self.stdout.write(f"These are the newest {_SHOWN}. The back office lists all.")

    def _show(self, projection: str, position: int) -> None:
        row = ParkedEvent.objects.filter(projection=projection, position=position).first()
        if row is None:
            raise CommandError(f"{projection} has not parked the event at {position}.")
        self.stdout.write(f"{row.event_type} v{row.version} of payment {row.aggregate_id}")
        self.stdout.write(
            f"{row.attempts} attempts, parked at {row.parked_at:%Y-%m-%d %H:%M:%S} UTC"
        )
        self.stdout.write(row.traceback or "It waits for an earlier event of its payment.")

    def _retry(self, name: str | None, aggregate_id: UUID | None) -> None:
        if name is not None and aggregate_id is not None:
            self._report(parking.retry(_PARKING[name], aggregate_id, by=actors.operator()))
            return
        todo = [
            (projection, found)
            for projection in ([_PARKING[name]] if name else _PARKING.values())
            for found in parking.aggregates(projection)
        ]
        if not todo:
            self.stdout.write("Nothing to retry.")
            return
        left = 0
        with progress_bar("Retrying", total=len(todo)) as progress:
            for done, (projection, found) in enumerate(todo, start=1):
                left += parking.retry(projection, found, by=actors.operator())
                progress(done)
        self._report(left)

    def _discard(self, *, projection: str, position: int, reason: str, **_: Any) -> None:
        try:
            left = parking.discard(
                _PARKING[projection],
                position,
                reason=reason,
                by=actors.operator(),
                at=timezone.now(),
            )
        except TextError as error:
            raise CommandError(f"--reason: {error}") from error
        self.stdout.write(f"{projection} will never apply the event at {position}.")
        self._report(left)

    def _report(self, left: int) -> None:
        self.stdout.write(f"Events still parked: {left:,}." if left else "All are applied.")


_PARKING: Final = {
    name: projection
    for name, projection in PROJECTIONS.items()
    if isinstance(projection, Rows | Counters)
}
_NAMES: Final = tuple(_PARKING)
