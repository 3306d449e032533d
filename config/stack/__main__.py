"""`python -m config.stack`, which `make run` calls: migrate, add demo data, serve.

It runs until it is stopped and restarts processes that end. Exit status: 130 after Ctrl-C, 143 after
SIGTERM, 1 if it cannot start or if a process repeatedly exits during startup.
"""

import os
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.error import HTTPError, URLError

from django.core.exceptions import ImproperlyConfigured

from config import variables
from config.stack import commands, place, preparation, processes
from config.stack.errors import StackError
from config.stack.postgres import Postgres
from config.stack.supervisor import Stop, Supervisor
from config.stack.valkey import Valkey

_ASKED_BY_MAKE: Final = "--ctrl-c-is-success"
_CTRL_C: Final = 130
_ANSWER_SECONDS: Final = 60.0


def main() -> int:
    supervisor = Supervisor()
    try:
        return _run(supervisor)
    except (StackError, ImproperlyConfigured) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Stop as stop:
        # Make would report Ctrl-C as an error.
        return 0 if stop.code == _CTRL_C and _ASKED_BY_MAKE in sys.argv else stop.code


def _run(supervisor: Supervisor) -> int:
    port = variables.number("PORT", 8000, least=1, most=2**16 - 1)
    embedded = variables.given("DATABASE_URL") is None
    demo = variables.flag("DEMO", default=embedded)
    web = commands.web(
        port,
        workers=variables.number("WEB_CONCURRENCY", 1, least=1, most=1_000),
    )
    os.environ["EMBEDDED"] = str(int(embedded))
    if embedded and variables.given("DEBUG") is None:
        os.environ["DEBUG"] = "1"
    if embedded and variables.given("MFA_REQUIRED_ROLES") is None:
        os.environ["MFA_REQUIRED_ROLES"] = "none"
    folder = place.data_folder()
    with place.held(folder), ExitStack() as cleanup:
        processes.end_orphans()
        place.forget_environment()
        _check_free(port)
        place.check_room(folder)
        cleanup.enter_context(_servers(folder, supervisor))
        logins = preparation.prepare(folder, demo=demo)
        cleanup.enter_context(place.shared_environment())
        cleanup.callback(supervisor.stop)
        cleanup.callback(print, "\nStopping.", flush=True)
        _serve(supervisor, web, port)
        _print_welcome(port, logins, preparation.notes(embedded=embedded))
        supervisor.supervise()


@contextmanager
def _servers(folder: Path, supervisor: Supervisor) -> Iterator[None]:
    """Start the servers that the environment does not name, and add their URLs to the environment."""
    with ExitStack() as running:
        if variables.given("DATABASE_URL") is None:
            postgres = Postgres(folder, place.socket_folder())
            running.callback(postgres.stop)
            supervisor.start_server(postgres)
            postgres.create_database("payments")
            os.environ["DATABASE_URL"] = postgres.url("payments")
            # The file belongs to the embedded database only.
            os.environ.setdefault("SEAL_HEAD_FILE", str(postgres.data.with_suffix(".head.json")))
        if variables.given("REDIS_URL") is None:
            valkey = Valkey(folder, place.socket_folder())
            running.callback(valkey.stop)
            supervisor.start_server(valkey)
            os.environ["REDIS_URL"] = valkey.url()
        supervisor.check()
        yield


def _serve(supervisor: Supervisor, web: Sequence[str], port: int) -> None:
    """Start the web server first, because starting the workers and beat would delay it."""
    supervisor.start("web", commands.with_python(web))
    _await_answer(supervisor, f"http://{commands.HOST}:{port}/admin/login/")
    supervisor.start("worker", commands.with_python(commands.WORKER))
    supervisor.start("webhooks", commands.with_python(commands.WEBHOOKS))
    supervisor.start("beat", commands.with_python(commands.BEAT))


def _await_answer(supervisor: Supervisor, url: str) -> None:
    deadline = time.monotonic() + _ANSWER_SECONDS
    while True:
        supervisor.check()
        if name := supervisor.ended():
            raise StackError(f"The {name} process has ended. Its output is above.")
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS):
                return
        except HTTPError as error:
            raise StackError(f"{url} answers {error.code}. The server's output is above.") from None
        except (URLError, OSError):
            if time.monotonic() > deadline:
                raise StackError(f"{url} did not answer in {_ANSWER_SECONDS:.0f} s.") from None
        time.sleep(0.02)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        # The web server sets this too, so closing connections do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((commands.HOST, port))
        except OSError as error:
            raise StackError(
                f"Port {port} cannot be used ({error.strerror}). Choose another: PORT={port + 1} make run"
            ) from None


def _print_welcome(port: int, logins: list[str], notes: list[str]) -> None:
    site = f"http://{commands.HOST}:{port}"
    print(f"\n  Back office   {site}/admin/")
    for line in logins or ["Log in as a user that `./manage.py create_staff` created."]:
        print(f"                {line}")
    print(f"  API           {site}/api/docs/")
    print("  Commands      ./manage.py help, in a second terminal")
    for note in notes:
        print(f"\n  Note: {note}")
    print("\n  Ctrl-C stops everything. The next start continues with the same data.")
    if logins:
        print("  To start over with new demo data: make reset")
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
