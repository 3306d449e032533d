"""Removes what is personal about a customer."""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.markup import escape

from payments import actors
from payments.customers import erasure, files, registry
from payments.customers.erasure import Step
from payments.customers.models import Customer
from payments.customers.registry import CustomerError
from payments.domain.text import TextError, searched
from payments.progress import progress_bar


class Command(BaseCommand):
    help = (
        "Erase a customer: reference, name, contacts, review notes, notes about blocks, what Django's"
        " admin noted, and every text about others that mentions it. The event log stays as it is: it"
        " knows the customer by an id only."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py erase_customer 'Acme Ltd' customer-123 --reason 'Request 2026-17'\n"
            "  ./manage.py erase_customer 'Acme Ltd' customer-123 --reason 'Request 2026-17' --yes \\\n"
            "      --files old.csv.rejected.csv lists/*.csv\n\n"
            "CLIENT is the client's name or id, REFERENCE the client's own id of the customer. --files are\n"
            "CSV files (what imports refused, lists that were exported): cells that mention the customer\n"
            "become 'erased'. Name them at the first run: later ones know the reference only.\n\n"
            "A note or a reason about another person that mentions the customer, by its reference, whole\n"
            "name, e-mail address or telephone number, is erased as a whole: the words around a name\n"
            "reveal as much. So is one that means another person of that name. Case, width, apostrophes,\n"
            "hyphens, underscores and invisible characters make no difference; in scripts without spaces\n"
            "a name may touch other letters. Words of fewer than four characters (two in Han, Kana and\n"
            "Hangul) and numbers of fewer than six digits are not looked for in texts: the output names\n"
            "them. Parts of a name, other accents, inflected names and transliterations are not found.\n\n"
            "Killed anywhere, the same command does the rest; a second run erases what was written since.\n"
            "A later payment under the same reference is taken, belongs to the same id, and stores nothing\n"
            "personal again. A block stays. When, why and by whom stays too.\n"
            "Not reached: backups, log files, and what a client put into its own references of payments,\n"
            "X-Request-ID, X-Correlation-ID and Idempotency-Key: the log never changes. A repeated\n"
            "submission is answered with the reference that it says itself, all else with null.\n\n"
            "Exit codes: 0 erased, 1 it was not (no such customer, not confirmed), 2 an argument is wrong."
        )
        parser.add_argument("client", metavar="CLIENT")
        parser.add_argument("reference", metavar="REFERENCE")
        parser.add_argument(
            "--reason", required=True, help="kept with the id, so without anything personal"
        )
        parser.add_argument("--files", type=Path, nargs="+", default=[], metavar="PATH")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *_: Any, client: str, reference: str, **options: Any) -> None:
        reference = searched(reference)
        try:
            customer = registry.find(client, reference)
            # Before anything is erased.
            for path in options["files"]:
                files.check(path)
            erasure.check_reason(options["reason"], erasure.words_of(customer, reference))
            self._confirm(customer, yes=options["yes"])
            self._erase(customer, reference, options["reason"], options["files"])
        except CustomerError as error:
            raise CommandError(str(error)) from error
        except (TextError, erasure.ReasonTells) as error:
            raise CommandError(f"--reason: {error}", returncode=2) from error
        except files.FileError as error:
            raise CommandError(f"--files: {error}", returncode=2) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error

    def _confirm(self, customer: Customer, *, yes: bool) -> None:
        if customer.erased_at is not None:
            self.stdout.write(
                f"Customer {customer.pk} of {customer.client} was erased at"
                f" {customer.erased_at:%Y-%m-%d %H:%M:%S} UTC by {customer.erased_by}:"
                f" {customer.erasure_reason or 'the reason was erased too'}."
                " Looking for what was written since."
            )
        elif not yes:
            if not sys.stdin.isatty():
                raise CommandError("Nothing was erased: add --yes to do it without being asked.")
            self.stdout.write(f"Erase {customer} of {customer.client}? There is no way back.")
            if input("Type yes: ").strip() != "yes":
                raise CommandError("Nothing was erased.")

    def _erase(self, customer: Customer, reference: str, reason: str, paths: list[Path]) -> None:
        by = actors.operator()
        if fields := erasure.sought(customer, reference):
            self.stdout.write(f"Looked for in texts: {', '.join(fields)}.")
        for path in paths:
            with progress_bar(escape(path.name), total=path.stat().st_size) as progress:
                step = erasure.erase_file(
                    path, customer, reference=reference, by=by, progress=progress
                )
            self._tell(step)
        for step in erasure.erase(
            customer,
            reference=reference,
            reason=reason,
            by=by,
            at=timezone.now(),
            watch=progress_bar,
        ):
            self._tell(step)
        if short := erasure.not_sought(customer, reference):
            self.stdout.write(f"Not looked for in texts, being so short: {', '.join(short)}.")
        self.stdout.write(
            f"Erased. The log and its seals stay as they are: they know {customer.pk}."
        )
        self.stdout.write(
            "Kept in the log: what the client itself may have made of personal data, references of payments,"
            " X-Request-ID, X-Correlation-ID, hashes of Idempotency-Key. Answers to repeated requests say"
            " customer_id null, but for a submission, which says it itself."
        )

    def _tell(self, step: Step) -> None:
        if step.erased is None:
            self.stdout.write(f"{'-':>7} {step.place}: not searched")
        else:
            self.stdout.write(f"{step.erased:>7,} {step.place}")
