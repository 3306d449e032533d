"""Replace an API key with a new one, with a grace period for the old key."""

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
    help = "Create a key with the same scopes and lifetime. The old key works until the grace period ends."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py rotate_api_key sk_1a2b3c4d                   24 hours to change over\n"
            "  ./manage.py rotate_api_key sk_1a2b3c4d --grace-hours 0   the old key ends now\n\n"
            "At most two keys of a rotation chain work at a time. For a third one, the error names the key\n"
            "to revoke or to wait for. Revoked and expired keys cannot be rotated."
        )
        parser.add_argument("prefix", help="the key's prefix, from list_api_keys")
        parser.add_argument(
            "--grace-hours",
            type=int,
            default=24,
            metavar="N",
            help="hours that the old key still works, default: 24",
        )

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
            f" Store the new key {new.prefix} now: it is not shown again."
        )
        self.stdout.write(text)
