"""`python -m config.stack`: migrate, fill in demo data, serve; what `make run` does.

Exit status: 0 never, for it runs until it is stopped (130 by Ctrl-C, 143 by SIGTERM); 1 when it
cannot start or when one of its processes has ended.
"""

import os
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.error import HTTPError, URLError

from config.stack import place, preparation, processes, web
from config.stack.errors import StackError
from config.stack.postgres import Postgres
from config.stack.supervisor import Stop, Supervisor
from config.stack.valkey import Valkey

_ANSWER_SECONDS: Final = 60.0
_HOST: Final = "127.0.0.1"


def main() -> int:
    supervisor = Supervisor()
    try:
        return _run(supervisor)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Stop as stop:
        return stop.code


def _run(supervisor: Supervisor) -> int:
    port = _port()
    folder = place.data_folder()
    with place.held(folder), ExitStack() as cleanup:
        processes.end_orphans()
        _check_free(port)
        embedded = "DATABASE_URL" not in os.environ
        os.environ.setdefault("DEBUG", "1")
        os.environ.setdefault("DEMO", "1" if embedded else "0")
        cleanup.enter_context(_servers(folder, supervisor))
        logins = preparation.prepare(folder)
        cleanup.enter_context(place.told_to_commands("DATABASE_URL", "REDIS_URL", "DEBUG"))
        cleanup.callback(supervisor.stop)
        cleanup.callback(print, "\nStopping.", flush=True)
        _serve(supervisor, port)
        _say_welcome(port, logins)
        name = supervisor.wait()
        raise StackError(f"The {name} process has ended; what it said is above.")


@contextmanager
def _servers(folder: Path, supervisor: Supervisor) -> Iterator[None]:
    """Start the servers that the environment does not name, and name them there."""
    with ExitStack() as running:
        if "DATABASE_URL" not in os.environ:
            postgres = Postgres(folder, place.socket_folder())
            running.callback(postgres.stop)
            postgres.start(while_waiting=supervisor.check)
            postgres.create_database("payments")
            os.environ["DATABASE_URL"] = postgres.url("payments")
        if "REDIS_URL" not in os.environ:
            valkey = Valkey(folder, place.socket_folder())
            running.callback(valkey.stop)
            valkey.start(while_waiting=supervisor.check)
            os.environ["REDIS_URL"] = valkey.url()
        supervisor.check()
        yield


def _serve(supervisor: Supervisor, port: int) -> None:
    """Start the web server, then, when it answers, those who would only take its processor time."""
    python = sys.executable
    supervisor.start(
        "web",
        web.command(port, workers=os.environ.get("WEB_CONCURRENCY", "1")),
    )
    _await_answer(supervisor, f"http://{_HOST}:{port}/admin/login/")
    celery = (
        python,
        "-W",
        "ignore:You're running the worker",
        "-m",
        "celery",
        "--quiet",
        "-A",
        "config",
    )
    supervisor.start(
        "worker",
        [
            *(*celery, "worker", "--concurrency", "2"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
    )
    supervisor.start(
        "beat",
        [*celery, "beat", "--scheduler", "celery.beat:Scheduler"],
    )


def _await_answer(supervisor: Supervisor, url: str) -> None:
    deadline = time.monotonic() + _ANSWER_SECONDS
    while True:
        supervisor.check()
        if name := supervisor.ended():
            raise StackError(f"The {name} process has ended; what it said is above.")
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS):
                return
        except HTTPError as error:
            raise StackError(
                f"{url} answers {error.code}; what the server said is above."
            ) from None
        except (URLError, OSError):
            if time.monotonic() > deadline:
                raise StackError(f"{url} did not answer in {_ANSWER_SECONDS:.0f} s.") from None
        time.sleep(0.02)


def _port() -> int:
    given = os.environ.get("PORT", "8000")
    if not given.isascii() or not given.isdigit() or not 0 < int(given) < 2**16:
        raise StackError(f"PORT is {given!r}, not a number from 1 to 65535.")
    return int(given)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        # As the web server will do: what is only closing down is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise StackError(
                f"Port {port} cannot be used ({error.strerror}). Choose another: PORT={port + 1} make run"
            ) from None


def _say_welcome(port: int, logins: list[str]) -> None:
    site = f"http://{_HOST}:{port}"
    print(f"\n  Back office   {site}/admin/")
    for login in logins:
        print(f"                {login}")
    if not logins:
        print("                log in as somebody whom `manage.py create_staff` made")
    print(f"  API           {site}/api/docs/")
    print("\n  Ctrl-C stops everything.\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
