"""Seal the event log, as the workers do every minute."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payments.counting import counted
from payments.events.reading import horizon
from payments.events.reading.horizon import HorizonHeld
from payments.events.seals import keys, sealing
from payments.progress import progress_bar


class Command(BaseCommand):
    help = "Seal new events, so that verify_events finds every later change to them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  SEAL_KEY=$(openssl rand -hex 32) ./manage.py seal_events --show-key\n"
            "  ./manage.py seal_events && ./manage.py verify_events --export head.json\n\n"
            "The workers do this every minute. It is safe to run at any time, even concurrently.\n"
            "Exit codes: 0 all events up to the safe position are sealed, 1 they are not."
        )
        parser.add_argument(
            "--show-key",
            action="store_true",
            help="print the public key of SEAL_KEY and seal nothing",
        )

    def handle(self, *_: Any, show_key: bool, **__: Any) -> None:
        try:
            if show_key:
                self.stdout.write(keys.public_key(keys.signing_key()))
            else:
                self._seal()
        except (*sealing.REFUSALS, HorizonHeld) as error:
            raise CommandError(str(error)) from error

    def _seal(self) -> None:
        seals = events = 0
        statement = sealing.last()
        # Positions have gaps, so the last one is slightly more than the number of events.
        with progress_bar("Sealing", total=horizon.last_position()) as progress:
            progress(statement.last if statement else 0)
            for statement in sealing.seal_all():
                seals += 1
                events += statement.events
                progress(statement.last)
        where = f"up to position {statement.last:,}" if statement else "and the log is empty"
        self.stdout.write(
            f"Sealed {counted(events, 'event')} in {counted(seals, 'seal')}, {where}."
        )
