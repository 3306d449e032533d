"""Replaces an API key while both work for a while."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from payments import actors
from payments.clients import keys
from payments.clients.keys import KeyRefused
from payments.clients.models import ApiKey

_LONGEST_HOURS: Final = 24 * 90


class Command(BaseCommand):
    help = "Make a key with the same rights and lifetime; the old one works for a while longer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py rotate_api_key sk_1a2b3c4d                   a day to change over\n"
            "  ./manage.py rotate_api_key sk_1a2b3c4d --grace-hours 0   the old one ends now\n\n"
            "Of a key and those that replace it at most two work at a time: a third one is refused, with\n"
            "the key to revoke or to wait for. Nothing is made of a key that is revoked or has expired."
        )
        parser.add_argument("prefix", help="as list_api_keys shows it")
        parser.add_argument("--grace-hours", type=int, default=24, metavar="N", help="default: 24")

    def handle(self, *_: Any, **options: Any) -> None:
        if not 0 <= options["grace_hours"] <= _LONGEST_HOURS:
            raise CommandError(f"--grace-hours must be from 0 to {_LONGEST_HOURS}.")
        key = ApiKey.objects.filter(prefix=options["prefix"]).first()
        if key is None:
            raise CommandError(f"There is no key {options['prefix']!r}. See list_api_keys.")
        now = timezone.now()
        until = now + timedelta(hours=options["grace_hours"])
        try:
            new, text = keys.rotate(key, at=now, old_until=until, by=actors.operator())
        except KeyRefused as error:
            raise CommandError(str(error)) from error
        key.refresh_from_db()
        self.stderr.write(
            f"{key.prefix} works until {key.expires_at:%Y-%m-%d %H:%M} UTC."
            f" Keep the new key {new.prefix}: it is not shown again."
        )
        self.stdout.write(text)
