"""Create an API key, and its client if it is new."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from payments import actors
from payments.clients import keys
from payments.clients.models import LONGEST_LABEL, OF_STAFF, Client, Scope
from payments.domain.text import TextError, checked_text


class Command(BaseCommand):
    help = "Create an API key and print it. It is shown once and stored only as a digest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py create_api_key 'Acme Ltd'                        submit and read payments\n"
            "  ./manage.py create_api_key 'Acme Ltd' --scope statistics:read --expires-in-days 90\n"
            "  ./manage.py create_api_key 'Acme Ltd' --scope reviews:write --staff ada\n"
            "  ./manage.py create_api_key 'Acme Ltd' --scope webhooks:write --scope payments:read\n\n"
            f"Scopes: {', '.join(Scope.values)}"
        )
        parser.add_argument("client", help="the client's name; a new name creates a client")
        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            metavar="SCOPE",
            help="can be repeated; default: payments:write, payments:read, statistics:read",
        )
        parser.add_argument(
            "--staff",
            metavar="USERNAME",
            help="who acts with this key; required for reviews and policies",
        )
        parser.add_argument("--label", default="", metavar="TEXT", help="what the key is for")
        parser.add_argument("--expires-in-days", type=int, metavar="N", help="default: never")

    def handle(self, *_: Any, **options: Any) -> None:
        scopes = options["scope"] or [
            Scope.PAYMENTS_WRITE,
            Scope.PAYMENTS_READ,
            Scope.STATISTICS_READ,
        ]
        staff = None
        if options["staff"] is not None:
            staff = (
                get_user_model().objects.filter(username=options["staff"], is_staff=True).first()
            )
            if staff is None:
                raise CommandError(f"There is no staff member {options['staff']!r}.")
        if staff is None and (needing := OF_STAFF & set(scopes)):
            raise CommandError(
                f"A key with {min(needing)} acts as a member of staff. Add --staff USERNAME."
            )
        days = options["expires_in_days"]
        if days is not None and not 0 < days <= 3650:  # noqa: PLR2004
            raise CommandError("--expires-in-days must be from 1 to 3650.")
        try:
            name = checked_text(options["client"], max_length=200)
        except TextError as error:
            raise CommandError(f"client: {error}") from error
        label = options["label"]
        try:
            label = checked_text(label, max_length=LONGEST_LABEL) if label else ""
        except TextError as error:
            raise CommandError(f"--label: {error}") from error
        client, created = Client.objects.get_or_create(name=name)
        key, text = keys.create(
            client,
            scopes,
            staff_id=staff.pk if staff else None,
            expires_at=timezone.now() + timedelta(days=days) if days else None,
            label=label,
            by=actors.operator(),
        )
        self.stderr.write(
            f"{'New client' if created else 'Client'} {client.name} ({client.pk}),"
            f" scopes {', '.join(key.scopes)}. Store the key now: it is not shown again."
        )
        self.stdout.write(text)
