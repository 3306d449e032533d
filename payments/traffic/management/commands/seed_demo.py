"""Fills an empty service with demo data."""

import secrets
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from payments.traffic import demo


class Command(BaseCommand):
    help = "Make a demo shop, four members of staff and two weeks of payments. A second run adds nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n  manage.py seed_demo\n  manage.py seed_demo --force     outside DEBUG too"
        )
        parser.add_argument("--force", action="store_true", help="although this is no debug server")

    def handle(self, *_: Any, **options: Any) -> None:
        if not settings.DEBUG and not options["force"]:
            raise CommandError("This is no debug server. Add --force if you mean it.")
        password = secrets.token_urlsafe(12)
        filled = demo.seed(password)
        self.stdout.write("Filled." if filled else "Filled already; the password is new.")
        for username in demo.STAFF:
            self.stdout.write(f"log in as {username} / {password}")
