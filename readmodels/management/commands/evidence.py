"""Write the evidence of a payment to files, for auditors and courts."""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from payments import actors
from payments.counting import counted
from payments.domain.text import TextError
from payments.events.seals.files import replacing
from payments.events.seals.sealing import DamagedSeal
from readmodels.evidence import gathering
from readmodels.management.commands.payment import payment_id_argument


class Command(BaseCommand):
    help = "Write the events of a payment with their seals, its policy and its notes to files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py evidence 0f7c... --reason 'Case 4711' --out /tmp/case\n"
            "  ./manage.py evidence 0f7c... --reason 'Case 4711' --decision 4 --out - > pack.json\n"
            "  ./manage.py verify_events --pack pack.json\n\n"
            "The folder gets the evidence as JSON, and a page for people. Texts of notes are included, and\n"
            "an erasure does not reach them there: keep the files as long as you need them, no longer.\n"
            "Who made the pack and why is recorded with its SHA-256. The command names the events that\n"
            "have no seal yet: workers seal every minute.\n"
            "Exit codes: 0 written, 1 not written, 2 wrong argument."
        )
        parser.add_argument("payment_id", type=payment_id_argument, metavar="PAYMENT_ID")
        parser.add_argument(
            "--decision",
            type=int,
            metavar="N",
            help="only up to the decision that is version N of the payment; default: all events",
        )
        parser.add_argument(
            "--reason", required=True, metavar="TEXT", help="why, such as a case number"
        )
        parser.add_argument(
            "--out",
            required=True,
            metavar="DIR",
            help="the folder for the files, or '-' to print the JSON",
        )

    def handle(
        self,
        *_: Any,
        payment_id: UUID,
        decision: int | None,
        reason: str,
        out: str,
        **__: Any,
    ) -> None:
        if out != "-" and not Path(out).is_dir():
            raise CommandError(f"--out {out}: there is no such folder. Create it first.")
        try:
            made = gathering.make(
                payment_id,
                decision=decision,
                reason=reason,
                by=actors.operator(),
                at=timezone.now(),
            )
        except TextError as error:
            raise CommandError(f"--reason: {error}") from error
        except gathering.NotADecision as error:
            raise CommandError(f"--decision: {error}") from error
        except (gathering.NoSuchPayment, DamagedSeal) as error:
            raise CommandError(str(error)) from error
        if out == "-":
            sys.stdout.buffer.write(made.pack)
        else:
            self._write(made, Path(out))
        if made.unsealed:
            positions = ", ".join(map(str, made.unsealed))
            self.stderr.write(
                f"Not sealed yet, so not proven: the events at position {positions}. Workers with SEAL_KEY"
                " seal every minute."
            )
        self.stderr.write(
            f"{counted(made.export.rows, 'event')}. SHA-256 of the JSON: {made.export.digest}"
        )

    def _write(self, made: gathering.Evidence, folder: Path) -> None:
        for end, content in ((".json", made.pack), (".html", made.page)):
            path = folder / f"{made.name}{end}"
            try:
                with replacing(path) as file:
                    file.write(content)
            except OSError as error:
                raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
            self.stdout.write(str(path))
