"""Fill an empty service with demo data."""

import secrets
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from payments.traffic import demo


class Command(BaseCommand):
    help = (
        "Add a demo shop, users of each role, two weeks of payments, and older ones with disputes. A second"
        " run adds nothing and changes no password."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py seed_demo\n"
            "  ./manage.py seed_demo --force     also with DEBUG=0"
        )
        parser.add_argument("--force", action="store_true", help="add demo data also with DEBUG=0")

    def handle(self, *_: Any, **options: Any) -> None:
        if not settings.DEBUG and not options["force"]:
            raise CommandError("DEBUG is 0. Pass --force to add demo data nevertheless.")
        password = settings.DEMO_PASSWORD or secrets.token_urlsafe(12)
        existing = set(
            User.objects.filter(username__in=demo.STAFF).values_list("username", flat=True)
        )
        added = demo.seed(password)
        self.stdout.write("Demo data added." if added else "The demo data is already complete.")
        if settings.DEMO_PASSWORD or len(existing) < len(demo.STAFF):
            self.stdout.write(f"Password: {password}")
        for username, line in zip(demo.STAFF, demo.logins(), strict=True):
            kept = username in existing and not settings.DEMO_PASSWORD
            self.stdout.write(f"{line} (password unchanged)" if kept else line)
