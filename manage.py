#!/usr/bin/env python3
"""Django's command line: `./manage.py help` lists the commands.

Without Django in the current Python, it continues with the Python of .venv, which `make install` creates.
"""

import os
import shutil
import sys
from pathlib import Path

_BROKEN_PIPE = 141  # as if SIGPIPE had ended it
_ENVIRONMENT = Path(__file__).resolve().parent / ".venv"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        import django  # noqa: F401 - checks that it is installed
    except ImportError:
        _continue_in_environment()
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError

    _prepare(sys.argv[1:])
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        # A reader such as `head` has ended. Python would raise again when it closes the output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_BROKEN_PIPE)
    except OperationalError as error:
        if (reason := _unreachable(error)) is None:
            raise
        sys.exit(f"error: {reason}")
    except ProgrammingError:
        if not _has_unapplied_migrations():
            raise
        sys.exit("error: The database lacks tables of this version. Run: ./manage.py migrate")
    except Exception as error:
        # Imported late: it needs Django's settings.
        from payments.events.contradictions import LogContradicted

        if isinstance(error, LogContradicted):
            sys.exit(f"error: Nothing was stored, because the event log needs a repair. {error}")
        raise


def _continue_in_environment() -> None:
    python = _ENVIRONMENT / "bin" / "python"
    if Path(sys.prefix).resolve() == _ENVIRONMENT.resolve() or not python.exists():
        sys.exit("error: Django is not installed here. Run: make install")
    os.execv(python, [str(python), *sys.argv])  # noqa: S606 - without a shell


def _prepare(arguments: list[str]) -> None:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if not own or {"help", "--help", "-h"} & set(own):
        # Help needs neither keys nor servers.
        os.environ["DEBUG"] = os.environ.get("DEBUG") or "1"
    if own[:1] == ["dbshell"] and shutil.which("psql") is None:
        from config.stack import postgres

        os.environ["PATH"] += os.pathsep + str(postgres.binaries())


def _has_unapplied_migrations() -> bool:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    connection.close()  # The failed statement may have left a transaction open.
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _unreachable(error: Exception) -> str | None:
    """Return a message for a database that did not answer, or None if it answered with an error."""
    import psycopg

    from config import variables
    from config.postgresql import messages

    cause = error.__cause__
    if not isinstance(cause, psycopg.OperationalError) or cause.sqlstate is not None:
        return None
    hint = "" if variables.given("DATABASE_URL") else " Start `make run`, or set DATABASE_URL."
    return f"The database cannot be reached: {messages.one_line(error)}.{hint}"


if __name__ == "__main__":
    main()
