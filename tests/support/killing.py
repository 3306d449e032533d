"""Commands that are killed while they append events."""

import os
import subprocess
import sys
import time

from django.db import connection

from config.stack import place
from payments.events.models import Event


def killed_after(events: int, *command: str) -> None:
    """Run a command in a separate process, and kill it once it has appended this many events."""
    before = Event.objects.count()
    child = subprocess.Popen(
        [sys.executable, str(place.PROJECT / "manage.py"), *command],
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
        },
    )
    while Event.objects.count() < before + events:
        assert child.poll() is None
        time.sleep(0.005)
    child.kill()
    child.wait()
