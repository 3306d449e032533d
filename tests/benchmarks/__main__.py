"""The program of `make bench`. It starts durable servers that only the benchmarks use."""

import os
import shutil
import sys
from importlib import import_module
from typing import Final

from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.support import servers

NAMES: Final = ("dispatch", "loading", "projecting", "post", "importing", "rebuild", "seals")
# They take minutes, so they run only if they are named.
LONG: Final = ("backtest", "busy", "export", "lists", "webhooks")


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all but the long ones, and print their figures.

    Return 2 for an unknown name.
    """
    unknown = [name for name in names if name not in NAMES + LONG]
    if unknown:
        print(
            f"There is no benchmark {unknown[0]!r}. Known: {', '.join(NAMES + LONG)}.",
            file=sys.stderr,
        )
        return 2
    folder = servers.own_folder()
    try:
        with Postgres(folder, folder) as postgres, Valkey(folder, folder) as valkey:
            _run(names or list(NAMES), postgres, valkey)
    finally:
        shutil.rmtree(folder)
    return 0


def _run(names: list[str], postgres: Postgres, valkey: Valkey) -> None:
    postgres.create_database("payments")
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEBUG": "0",
        "LOG_LEVEL": "WARNING",
        "MFA_REQUIRED_ROLES": "none",  # the benchmarks' staff have no second factor
        **servers.SECRETS,
        "DATABASE_URL": postgres.url("payments"),
        "REDIS_URL": valkey.url(),
        "POSTGRES_BIN": str(postgres.binaries),
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from tests.benchmarks.harness import report

    figures = []
    for name in names:
        print(f"Measuring {name}", file=sys.stderr)
        figures += import_module(f"tests.benchmarks.{name}").run()
    report(figures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
