"""Revoke an API key."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from payments import actors
from payments.clients import keys
from payments.clients.models import ApiKey


class Command(BaseCommand):
    help = "Revoke an API key permanently. All processes refuse it within three seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = "Example:\n  ./manage.py revoke_api_key sk_1a2b3c4d"
        parser.add_argument("prefix", help="the key's prefix, from list_api_keys")

    def handle(self, *_: Any, **options: Any) -> None:
        key = ApiKey.objects.filter(prefix=options["prefix"]).first()
        if key is None:
            raise CommandError(f"There is no key {options['prefix']!r}. See list_api_keys.")
        if key.revoked_at is not None:
            raise CommandError(
                f"{key.prefix} was already revoked at {key.revoked_at:%Y-%m-%d %H:%M} UTC."
            )
        keys.revoke(key, at=timezone.now(), by=actors.operator())
        self.stdout.write(f"Revoked {key.prefix} of {key.client.name}.")
