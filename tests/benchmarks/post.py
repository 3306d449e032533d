"""Payments per second over HTTP, compared with creating a row with Django REST framework."""

import itertools
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final
from uuid import uuid4

from django.test import Client

from config.stack import commands, processes
from tests.benchmarks.harness import Figure, in_turns
from tests.support.roundtrips import round_trips

# Turns are short because the speed of a machine may double within seconds.
_SECONDS: Final = 1
_ROUNDS: Final = 20
_CLIENTS: Final = 8
_GOALS: Final = {"bare": 1.6, "guarded": 3.0}
_BODY: Final = {"amount": 1999, "currency": "EUR", "method": "wallet"}
_OURS: Final = "/api/v1/payments"
_SETTINGS: Final = "tests.benchmarks.baseline.settings"


def run() -> list[Figure]:
    with server() as (port, headers):
        first, later = _round_trips(headers[_OURS])
        print(f"A payment costs {later} database round trips, a customer's first one {first}.")
        candidates = {
            path: partial(requests_per_second, port, path, headers[path]) for path in headers
        }
        medians = in_turns(candidates, rounds=_ROUNDS)
    ours = medians[_OURS]
    return [
        Figure(
            what=f"POST payments, {_CLIENTS} clients, against a {name} DRF create",
            rate=ours,
            baseline=medians[f"/baseline/{name}"],
            unit="/s",
            goal=goal,
        )
        for name, goal in _GOALS.items()
    ]


@contextmanager
def server() -> Iterator[tuple[int, dict[str, dict[str, str]]]]:
    """Run one server with the service and the baseline. Yield its port and the headers by path."""
    _manage("migrate", "--run-syncdb", "--verbosity=0")
    key = _manage("create_api_key", "Benchmark").strip()
    _manage("createsuperuser", "--noinput", "--username=bench", "--email=b@example.com")
    found = re.search(r"token (\w+)", _manage("drf_create_token", "bench"))
    assert found
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    child = processes.spawn(
        commands.with_python(commands.web(port, workers=2, log_level="error")),
        environment={"DJANGO_SETTINGS_MODULE": _SETTINGS},
    )
    try:
        _await(port)
        yield (
            port,
            {
                _OURS: {"Authorization": f"Bearer {key}"},
                "/baseline/bare": {},
                "/baseline/guarded": {"Authorization": f"Token {found[1]}"},
            },
        )
    finally:
        processes.end(child, signal.SIGTERM)


def _round_trips(headers: dict[str, str]) -> tuple[int, int]:
    """Count the round trips of a customer's first payment and of a later one, in this process."""

    def submit(customer: str) -> int:
        with round_trips() as counted:
            client.post(
                _OURS,
                _BODY | {"customer_id": customer},
                content_type="application/json",
                headers=headers | {"Idempotency-Key": str(uuid4())},
            )
        return counted.count

    client = Client(headers={"Host": "127.0.0.1"})
    for _ in range(2):  # prepares every statement and caches the keys
        submit("customer")
        submit(str(uuid4()))
    return submit("new customer"), submit("new customer")


def requests_per_second(port: int, path: str, headers: dict[str, str]) -> float:
    """Return the requests per second of a few clients with one connection each.

    One thread runs all clients, because they take CPU time from the server.
    """
    with selectors.DefaultSelector() as answers, ExitStack() as open_:
        for number in range(_CLIENTS):
            client = _Client(number, port, path, headers)
            open_.callback(client.socket.close)
            answers.register(client.socket, selectors.EVENT_READ, client)
            client.send()
        started = time.perf_counter()
        done = 0
        while time.perf_counter() - started < _SECONDS:
            for key, _ in answers.select(timeout=1):
                key.data.receive()
                key.data.send()
                done += 1
        return done / (time.perf_counter() - started)


class _Client:
    """Return a hundred customers that have paid once."""

    def __init__(self, number: int, port: int, path: str, headers: dict[str, str]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        common = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._begin = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"{common}Idempotency-Key: "
        ).encode()
        bodies = (json.dumps(_BODY | {"customer_id": f"{number}-{each}"}) for each in range(100))
        self._ends = itertools.cycle(
            f"\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode() for body in bodies
        )

    def send(self) -> None:
        self.socket.sendall(self._begin + str(uuid4()).encode() + next(self._ends))

    def receive(self) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.socket.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 201"), received
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert length
        while len(body) < int(length[1]):
            body += self.socket.recv(65536)


def _await(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("The server did not start.")


def _manage(*arguments: str) -> str:
    environment = {
        "DJANGO_SETTINGS_MODULE": _SETTINGS,
        "DJANGO_SUPERUSER_PASSWORD": str(uuid4()),
    }
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=os.environ | environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
