"""Run a command of manage.py in this process and return its output."""

from io import StringIO

from django.core.management import call_command


def run(command: str, *arguments: str) -> tuple[str, str]:
    """Return the command's standard output and standard error."""
    out, err = StringIO(), StringIO()
    call_command(command, *arguments, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue().strip()
