"""Rebuilds read models from the log, with progress."""

import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payments.events import horizon
from payments.progress import progress_bar
from readmodels.projections import PROJECTIONS
from readmodels.rebuild import rebuild


class Command(BaseCommand):
    help = "Refill read models from the event log. Reads see the old rows until the end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  manage.py rebuild_projections                    all, in one pass over the log\n"
            "  manage.py rebuild_projections daily_statistics   only this one\n\n"
            f"Projections: {', '.join(PROJECTIONS)}\n"
            "Exit codes: 0 done, 1 failed and nothing changed."
        )
        parser.add_argument("names", nargs="*", metavar="NAME", help="default: all projections")

    def handle(self, *_: Any, names: list[str], **__: Any) -> None:
        unknown = sorted(set(names) - set(PROJECTIONS))
        if unknown:
            raise CommandError(
                f"There is no projection {unknown[0]!r}. Known: {', '.join(PROJECTIONS)}."
            )
        projections = [PROJECTIONS[name] for name in dict.fromkeys(names or PROJECTIONS)]
        started = time.monotonic()
        try:
            # Positions have gaps, so the last one is slightly more than the number of events.
            with progress_bar("Rebuilding", total=horizon.last_position()) as progress:
                events = rebuild(projections, progress=progress)
        except (horizon.HorizonHeld, horizon.UnreadableEvent) as error:
            raise CommandError(f"Nothing was changed. {error}") from error
        seconds = time.monotonic() - started
        names_done = ", ".join(projection.name for projection in projections)
        self.stdout.write(
            f"Rebuilt {names_done} from {events:,} events in {seconds:.1f} s"
            f" ({events / max(seconds, 0.001):,.0f}/s)."
        )
