"""Exports sealed events with their seals, for auditors."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from payments.events.seals import exporting, verifying
from payments.progress import progress_bar


class Command(BaseCommand):
    help = "Write the sealed events and their seals as lines of JSON that anybody can verify."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  manage.py export_events log.ndjson\n"
            "  manage.py export_events july.ndjson --after 4711     only what came later\n"
            "  python payments/events/seals/verify_export.py log.ndjson PUBLIC_KEY\n\n"
            "The last one is what an auditor runs: the file stands alone and needs only the package\n"
            "cryptography. Exit codes: 0 the file is complete, 1 it was not written."
        )
        parser.add_argument("file", type=Path, metavar="FILE", help="replaced when complete")
        parser.add_argument(
            "--after", type=int, default=0, metavar="SEAL", help="begin after this seal; default 0"
        )

    def handle(self, *_: Any, file: Path, after: int, **__: Any) -> None:
        try:
            with progress_bar("Exporting", total=verifying.last_position()) as progress:
                done = exporting.export(file, after=after, progress=progress)
        except DatabaseError as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(f"The log cannot be read: {reason}") from error
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}.") from error
        except msgspec.DecodeError as error:
            raise CommandError(
                "A seal cannot be read, see `manage.py verify_events`. Nothing was written."
            ) from error
        if done.last is None:
            self.stdout.write(f"No seal comes after {after}: {file} holds no events.")
            return
        self.stdout.write(
            f"{file}: {done.events:,} events and {done.seals:,} seals, up to position"
            f" {done.last.last:,}. Chain of the last seal: {done.last.chain}"
        )
