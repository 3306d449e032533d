"""List API keys, without their secrets."""

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.box import SIMPLE_HEAD
from rich.table import Table

from payments.clients.models import ApiKey, Client
from payments.domain.text import searched
from payments.printing import print_table


class Command(BaseCommand):
    help = "List the API keys with their scopes and state."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n  ./manage.py list_api_keys\n  ./manage.py list_api_keys --client 'Acme Ltd'\n"
            "  ./manage.py list_api_keys --json | jq -r '.[] | .scopes[]'"
        )
        parser.add_argument("--client", metavar="NAME", help="list only the keys of this client")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_: Any, **options: Any) -> None:
        keys = ApiKey.objects.select_related("client", "staff").order_by(
            "client__name", "-created_at"
        )
        if options["client"] is not None:
            client = searched(options["client"])
            if not Client.objects.filter(name=client).exists():
                raise CommandError(f"There is no client {client!r}.")
            keys = keys.filter(client__name=client)
        if options["json"]:
            self.stdout.write(json.dumps([_facts(key) for key in keys], indent=2))
            return
        table = Table(box=SIMPLE_HEAD)
        for column in ("key", "client", "label", "scopes", "staff", "last used", "state"):
            table.add_column(column, no_wrap=column == "key", overflow="fold")
        for key in keys.iterator():
            table.add_row(
                f"{key.prefix}_…",
                key.client.name,
                key.label,
                " ".join(key.scopes),
                key.staff.get_username() if key.staff else "",
                f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never",
                _state(key),
            )
        print_table(table, self.stdout)


def _facts(key: ApiKey) -> dict[str, Any]:
    times = ("created_at", "last_used_at", "expires_at", "revoked_at")
    return {
        "prefix": key.prefix,
        "client": key.client.name,
        "label": key.label,
        "scopes": list(key.scopes),
        "staff": key.staff.get_username() if key.staff else None,
        **{name: at.isoformat() if (at := getattr(key, name)) else None for name in times},
        "state": _state(key),
    }


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    if key.expires_at is None:
        return "live"
    word = "expired" if key.expires_at <= timezone.now() else "live until"
    return f"{word} {key.expires_at:%Y-%m-%d %H:%M}"
