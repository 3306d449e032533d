"""Calling a command of manage.py, and reading what it says."""

from io import StringIO

from django.core.management import call_command


def run(command: str, *arguments: str) -> tuple[str, str]:
    """What it writes to standard output and to standard error."""
    out, err = StringIO(), StringIO()
    call_command(command, *arguments, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue().strip()
