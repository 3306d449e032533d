"""Erase the personal data of a customer."""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.markup import escape

from payments import actors
from payments.customers import csv_files, erasure, registry
from payments.customers.erasure import Step
from payments.customers.models import Customer
from payments.customers.registry import CustomerError
from payments.domain.text import TextError, searched
from payments.progress import progress_bar


class Command(BaseCommand):
    help = (
        "Erase a customer's personal data: reference, name, contacts, review notes with their files,"
        " notes about blocks and lists, entries of Django's admin log, and every text about others that"
        " mentions the customer."
        " The event log stays as it is: it contains only the customer's id."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py erase_customer 'Acme Ltd' customer-123 --reason 'Request 2026-17'\n"
            "  ./manage.py erase_customer 'Acme Ltd' customer-123 --reason 'Request 2026-17' --yes \\\n"
            "      --files old.csv.rejected.csv lists/*.csv\n\n"
            "CLIENT is the client's name or id, REFERENCE the client's own id of the customer. --files are\n"
            "CSV files, such as refused rows of an import or exported lists: cells that mention the\n"
            "customer become 'erased'. Name them in the first run: later runs know only the reference.\n\n"
            "A note or reason about another person that mentions the customer by its reference, whole name,\n"
            "e-mail address or telephone number is erased as a whole, because the words around a name\n"
            "reveal as much. Texts about a namesake are erased too. Case, width, apostrophes, hyphens,\n"
            "underscores and invisible characters make no difference. In scripts without spaces a name may\n"
            "touch other letters. Values of fewer than four characters (two in Han, Kana and Hangul) and\n"
            "numbers of fewer than six digits are not searched for in texts; the output names them. Parts\n"
            "of a name, other accents, inflected names and transliterations are not found.\n\n"
            "The same command completes an interrupted run, and erases what was written since a complete\n"
            "one. A later payment under the same reference belongs to the same id and stores no personal\n"
            "data. A block stays. Time, reason and operator of the erasure are kept. Not reached: backups,\n"
            "log files, and personal data that a client put into its own references of payments and\n"
            "refunds, X-Request-ID, X-Correlation-ID and Idempotency-Key, because the log never changes.\n"
            "The API returns null for the customer's reference, except to a repeated submission.\n\n"
            "Exit status: 0 erased, 1 not erased (no such customer, not confirmed), 2 invalid argument."
        )
        parser.add_argument("client", metavar="CLIENT")
        parser.add_argument("reference", metavar="REFERENCE")
        parser.add_argument(
            "--reason", required=True, help="kept with the id, so it must not contain personal data"
        )
        parser.add_argument("--files", type=Path, nargs="+", default=[], metavar="PATH")
        parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")

    def handle(self, *_: Any, client: str, reference: str, **options: Any) -> None:
        reference = searched(reference)
        try:
            customer = registry.find(client, reference)
            # All checks come before the first change.
            for path in options["files"]:
                csv_files.check(path)
            erasure.check_reason(options["reason"], erasure.identifiers(customer, reference))
            self._confirm(customer, yes=options["yes"])
            self._erase(customer, reference, options["reason"], options["files"])
        except CustomerError as error:
            raise CommandError(str(error)) from error
        except (TextError, erasure.ReasonNamesCustomer) as error:
            raise CommandError(f"--reason: {error}", returncode=2) from error
        except csv_files.FileError as error:
            raise CommandError(f"--files: {error}", returncode=2) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error

    def _confirm(self, customer: Customer, *, yes: bool) -> None:
        if customer.erased_at is not None:
            self.stdout.write(
                f"Customer {customer.pk} of {customer.client} was erased at"
                f" {customer.erased_at:%Y-%m-%d %H:%M:%S} UTC by {customer.erased_by}:"
                f" {customer.erasure_reason or 'the reason was erased too'}."
                " Searching for text written since."
            )
        elif not yes:
            if not sys.stdin.isatty():
                raise CommandError("Nothing was erased. Add --yes to erase without a confirmation.")
            self.stdout.write(f"Erase {customer} of {customer.client}? This cannot be undone.")
            if input("Type yes: ").strip() != "yes":
                raise CommandError("Nothing was erased.")

    def _erase(self, customer: Customer, reference: str, reason: str, paths: list[Path]) -> None:
        by = actors.operator()
        if fields := erasure.searched_fields(customer, reference):
            self.stdout.write(f"Searched for in texts: {', '.join(fields)}.")
        for path in paths:
            with progress_bar(escape(path.name), total=path.stat().st_size) as progress:
                step = erasure.erase_file(
                    path, customer, reference=reference, by=by, progress=progress
                )
            self._print(step)
        for step in erasure.erase(
            customer,
            reference=reference,
            reason=reason,
            by=by,
            at=timezone.now(),
            watch=progress_bar,
        ):
            self._print(step)
        if short := erasure.unsearched_fields(customer, reference):
            self.stdout.write(f"Too short to search for in texts: {', '.join(short)}.")
        self.stdout.write(
            f"Erased. The log and its seals are unchanged and contain only the id {customer.pk}."
        )
        self.stdout.write(
            "Kept in the log, possibly with personal data that the client put there: references of payments"
            " and refunds, X-Request-ID, X-Correlation-ID, hashes of Idempotency-Key. The API returns"
            " customer_id null, except to a repeated submission, which contains it."
        )

    def _print(self, step: Step) -> None:
        if step.erased is None:
            self.stdout.write(f"{'-':>7} {step.place}: not searched")
        else:
            self.stdout.write(f"{step.erased:>7,} {step.place}")
