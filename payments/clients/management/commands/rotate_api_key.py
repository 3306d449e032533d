"""Replaces an API key while both work for a while."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from payments import actors
from payments.clients import keys
from payments.clients.models import ApiKey

_LONGEST_HOURS: Final = 24 * 90


class Command(BaseCommand):
    help = "Make a key with the same rights and lifetime; the old one works for a while longer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  manage.py rotate_api_key pk_1a2b3c4d                   a day to change over\n"
            "  manage.py rotate_api_key pk_1a2b3c4d --grace-hours 0   the old one ends now"
        )
        parser.add_argument("prefix", help="as list_api_keys shows it")
        parser.add_argument("--grace-hours", type=int, default=24, metavar="N", help="default: 24")

    def handle(self, *_: Any, **options: Any) -> None:
        if not 0 <= options["grace_hours"] <= _LONGEST_HOURS:
            raise CommandError(f"--grace-hours must be from 0 to {_LONGEST_HOURS}.")
        key = ApiKey.objects.filter(prefix=options["prefix"], revoked_at=None).first()
        if key is None:
            raise CommandError(f"There is no live key {options['prefix']!r}. See list_api_keys.")
        now = timezone.now()
        if key.expires_at is not None and key.expires_at <= now:
            raise CommandError(
                f"{key.prefix} expired {key.expires_at:%Y-%m-%d %H:%M} UTC. See create_api_key."
            )
        until = now + timedelta(hours=options["grace_hours"])
        new, text = keys.rotate(key, at=now, old_until=until, by=actors.operator())
        self.stderr.write(
            f"{key.prefix} works until {key.expires_at:%Y-%m-%d %H:%M} UTC."
            f" Keep the new key {new.prefix}: it is not shown again."
        )
        self.stdout.write(text)
