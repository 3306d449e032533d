"""The processes of the service, on servers that a test may break."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

import psutil
import psycopg

from config.stack import commands, place, processes
from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.support import clusters, servers

BODY: Final = {"amount": 1999, "currency": "EUR", "method": "wallet", "customer_id": "c1"}
PATIENCE: Final = 30.0


class Service:
    """The web server, the worker and beat. Their database role has the least privileges."""

    def __init__(self, postgres: Postgres, valkey: Valkey, **environment: str) -> None:
        self.postgres = postgres
        self.valkey = valkey
        self._environment = {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": postgres.url(clusters.DATABASE, user=clusters.ROLE),
            "REDIS_URL": valkey.url(),
            "DEBUG": "0",
            "MFA_REQUIRED_ROLES": "none",
            **servers.SECRETS,
            **environment,
        }
        self._children: list[subprocess.Popen[bytes]] = []
        self.worker: subprocess.Popen[bytes]
        self.key = clusters.template(postgres.binaries).api_key
        self.url = ""

    def add_role(self, username: str, role: str) -> None:
        """Give a member of staff one more role, as an administrator can."""
        self.manage(
            "shell",
            "-c",
            "from django.contrib.auth.models import Group, User;"
            f"User.objects.get(username={username!r}).groups.add(Group.objects.get(name={role!r}))",
        )

    def manage(self, *arguments: str, as_owner: bool = False) -> str:
        owner = {"DATABASE_URL": self.postgres.url("payments")} if as_owner else {}
        return subprocess.run(
            [sys.executable, str(place.PROJECT / "manage.py"), *arguments],
            env=os.environ | self._environment | owner,
            cwd=place.PROJECT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def start_web(self, *, threads: int = 4, workers: int = 1) -> subprocess.Popen[bytes]:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._environment["WEB_THREADS"] = str(threads)
        child = self._start(commands.web(port, workers=workers, log_level="error"))
        wait_for(lambda: self.get("/healthz")[0] == 200)
        return child

    def start_worker(self) -> subprocess.Popen[bytes]:
        self.worker = self._start(commands.WORKER)
        return self.worker

    def start_webhooks(self) -> subprocess.Popen[bytes]:
        return self._start(commands.WEBHOOKS)

    def start_beat(self) -> None:
        self._start(commands.BEAT)

    def post(
        self, headers: Mapping[str, str] | None = None, **changes: Any
    ) -> tuple[int, dict[str, Any], float]:
        """Submit a payment. Return the status, the body and the seconds that the answer took."""
        began = time.monotonic()
        status, body = self._ask(
            "/api/v1/payments",
            json.dumps(BODY | changes).encode(),
            {
                "Idempotency-Key": str(uuid4()),
                "Content-Type": "application/json",
                **(headers or {}),
            },
        )
        return status, body, time.monotonic() - began

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        return self._ask(path, None, {})

    def query(self, statement: str) -> Any:
        """Return the only value that `statement` selects."""
        with psycopg.connect(self.postgres.url("payments")) as connection:
            row = connection.execute(statement).fetchone()
        assert row is not None
        return row[0]

    def log(self, program: str) -> list[dict[str, Any]]:
        """Return the lines that `program` has logged so far."""
        lines = (self.postgres.folder / f"{program}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def ended(self) -> list[int | None]:
        """Return the exit statuses of the processes that have ended."""
        return [child.poll() for child in self._children if child.poll() is not None]

    def stop(self) -> None:
        for child in self._children:
            processes.end(child, signal.SIGTERM)

    def _start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        child = processes.spawn(
            commands.with_python(arguments),
            environment=self._environment,
            log=self.postgres.folder / f"{arguments[0]}.log",
        )
        self._children.append(child)
        return child

    def _ask(
        self, path: str, data: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        headers = headers | {"Authorization": f"Bearer {self.key}"}
        request = urllib.request.Request(self.url + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, _body(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _body(error.read())
        except OSError:
            return 0, {}


@contextmanager
def service(postgres: Postgres, valkey: Valkey, **environment: str) -> Iterator[Service]:
    running = Service(postgres, valkey, **environment)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def whole_service(*, durable: bool = False, **environment: str) -> Iterator[Service]:
    """Run the web server, the worker and beat on their own servers."""
    with (
        clusters.cluster(durable=durable) as postgres,
        clusters.valkey(durable=durable) as valkey,
        service(postgres, valkey, **environment) as running,
    ):
        running.start_web()
        running.start_worker()
        running.start_beat()
        yield running


def wait_for(condition: Callable[[], bool], *, seconds: float = PATIENCE) -> float:
    """Wait until the condition holds. Return how long that took. Fail after `seconds`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"The condition did not hold within {seconds} s."
        time.sleep(0.02)
    return time.monotonic() - began


def kill_with_children(child: subprocess.Popen[bytes]) -> None:
    parent = psutil.Process(child.pid)
    for process in (*parent.children(recursive=True), parent):
        process.kill()
    child.wait()


def _body(content: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(content))
    except ValueError:
        return {}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
