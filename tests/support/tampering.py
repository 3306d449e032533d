"""Tamper with the log and verify it."""

import os
import subprocess
import sys
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import connection

from config.stack import place
from payments.events.seals import keys, verifying
from tests.support import servers
from tests.support.raw_appends import Session


def found(**options: Any) -> list[tuple[str, int]]:
    """Verify the log. Return the findings as (kind, position)."""
    report = verifying.verify(keys.trusted(), **options)
    assert report.findings.total == len(report.findings.first)
    return [(each.kind.value, each.position) for each in report.findings.first]


def verify(*arguments: str) -> tuple[int, str]:
    """Run the command verify_events. Return its exit status and output."""
    out = StringIO()
    try:
        call_command("verify_events", *arguments, stdout=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def change_event(superuser: Session, position: int, change: str) -> None:
    """Change columns of an event. `change` is the SET clause of an UPDATE."""
    done = superuser.execute(f"UPDATE events_event SET {change} WHERE position = {position}")
    assert done.rowcount == 1


def delete_seals(superuser: Session, condition: str) -> None:
    """Delete seals and the database's memory of them, as an attacker would."""
    superuser.execute(f"DELETE FROM events_seal WHERE {condition}")
    superuser.execute(
        "UPDATE events_log SET sealed_number = (SELECT coalesce(max(number), 0) FROM events_seal),"
        " sealed_position = 0"
    )


def add_event(superuser: Session, position: int) -> None:
    superuser.execute(
        "INSERT INTO events_event OVERRIDING SYSTEM VALUE SELECT %s, aggregate_type,"
        " gen_random_uuid(), version, event_type, schema_version, data, metadata, occurred_at,"
        " recorded_at FROM events_event LIMIT 1",
        [position],
    )


def manage(*arguments: str, environment: dict[str, str] | None = None) -> "subprocess.Popen[str]":
    database = servers.postgres().url(connection.settings_dict["NAME"])
    return subprocess.Popen(
        [sys.executable, str(place.PROJECT / "manage.py"), *arguments],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": database,
            **(environment or {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
