"""Export sealed events with their seals, for auditors."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from payments.counting import counted
from payments.events.seals import coverage, exporting, table, verifying
from payments.progress import progress_bar


class Command(BaseCommand):
    help = "Write the sealed events and their seals as lines of JSON, to be verified elsewhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py export_events log.ndjson\n"
            "  ./manage.py export_events july.ndjson --after 4711     only what came later\n"
            "  python payments/events/seals/verify_export.py log.ndjson PUBLIC_KEY\n\n"
            "Auditors run the last command. The script needs only the package cryptography and\n"
            "no other file of this project. An export is replaced only by one that contains all of it.\n"
            "Exit codes: 0 the file is complete, or there is nothing to export; 1 it was not written."
        )
        parser.add_argument(
            "file", type=Path, metavar="FILE", help="the export; replaced once complete"
        )
        parser.add_argument(
            "--after", type=int, default=0, metavar="SEAL", help="begin after this seal; default 0"
        )
        parser.add_argument(
            "--force", action="store_true", help="replace any file, even a longer export"
        )

    def handle(self, *_: Any, file: Path, after: int, force: bool, **__: Any) -> None:
        try:
            last = table.last()
            newest = 0 if last is None else last[0]
            if not 0 <= after <= newest:
                raise CommandError(f"--after {after}: the last seal is {newest}.")
            with progress_bar("Exporting", total=verifying.last_position()) as progress:
                done = exporting.export(file, after=after, force=force, progress=progress)
        except coverage.KeptExport as error:
            raise CommandError(f"{error} Nothing was written.") from error
        except DatabaseError as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(f"The log cannot be read: {reason}") from error
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}.") from error
        except msgspec.DecodeError as error:
            raise CommandError(
                "A seal cannot be read, see `./manage.py verify_events`. Nothing was written."
            ) from error
        if done.last is None:
            self.stdout.write(
                f"No seal comes after {after}. {file} was not written, because there is nothing to export."
            )
            return
        self.stdout.write(
            f"{file}: {counted(done.events, 'event')} and {counted(done.seals, 'seal')}, up to position"
            f" {done.last.last:,}. Chain of the last seal: {done.last.chain}"
        )
