"""Payments per second over HTTP, against a create of one row by Django REST framework on the same server."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final
from uuid import uuid4

from django.test import Client

from config.stack import processes
from tests.benchmarks.harness import Figure, Work, in_turns, per_second
from tests.roundtrips import round_trips

_SECONDS: Final = 4
_PROCESSES, _THREADS = 2, 4
_GOALS: Final = {"bare": 1.6, "guarded": 3.0}
_BODY: Final = {"amount": 1999, "currency": "EUR", "method": "wallet"}
_OURS: Final = "/api/v1/payments"
_SETTINGS: Final = "tests.benchmarks.baseline.settings"


def run() -> list[Figure]:
    with _server() as (port, headers):
        first, later = _round_trips(headers[_OURS])
        print(f"A payment costs {later} database round trips, a customer's first one {first}.")
        candidates = {
            path: partial(
                per_second,
                partial(_client, port, path, headers[path]),
                processes=_PROCESSES,
                threads=_THREADS,
                seconds=_SECONDS,
            )
            for path in headers
        }
        medians = in_turns(candidates)
    ours = medians[_OURS]
    return [
        Figure(
            what=f"POST payments, {_PROCESSES * _THREADS} clients, against a {name} DRF create",
            rate=ours,
            baseline=medians[f"/baseline/{name}"],
            unit="/s",
            goal=goal,
        )
        for name, goal in _GOALS.items()
    ]


@contextmanager
def _server() -> Iterator[tuple[int, dict[str, dict[str, str]]]]:
    """A server of both; yields its port and, for each path, the headers that it wants."""
    _manage("migrate", "--run-syncdb", "--verbosity=0")
    key = _manage("create_api_key", "Benchmark").strip()
    _manage("createsuperuser", "--noinput", "--username=bench", "--email=b@example.com")
    told = re.search(r"token (\w+)", _manage("drf_create_token", "bench"))
    assert told
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    child = processes.spawn(
        [
            *(sys.executable, "-W", "ignore", "-m", "granian", "--interface", "wsgi"),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", "2"),
            *("--blocking-threads", "4", "--log-level", "error", "config.wsgi:application"),
        ],
        environment={"DJANGO_SETTINGS_MODULE": _SETTINGS},
    )
    try:
        _await(port)
        yield (
            port,
            {
                _OURS: {"Authorization": f"Bearer {key}"},
                "/baseline/bare": {},
                "/baseline/guarded": {"Authorization": f"Token {told[1]}"},
            },
        )
    finally:
        processes.end(child, signal.SIGTERM)


def _round_trips(headers: dict[str, str]) -> tuple[int, int]:
    """Of a customer's first payment and of a later one, in this process."""

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
    for _ in range(2):  # until every statement is prepared and the keys are known
        submit("somebody")
        submit(str(uuid4()))
    return submit("somebody new"), submit("somebody new")


def _client(port: int, path: str, headers: dict[str, str], number: int) -> Work:
    """Sends one request after the other over one connection; a socket, because it costs least itself."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    common = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    # A hundred customers each, known after their first payment.
    customers = [f"{number}-{each}" for each in range(100)]
    bodies = [json.dumps(_BODY | {"customer_id": each}).encode() for each in customers]
    sent = 0

    def work() -> None:
        nonlocal sent
        body = bodies[sent % len(bodies)]
        sent += 1
        sock.sendall(
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: {uuid4()}\r\n{common}Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        _read_created(sock)

    return work


def _read_created(sock: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        received += sock.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 201"), received
    length = re.search(rb"(?i)content-length: (\d+)", head)
    assert length
    while len(body) < int(length[1]):
        body += sock.recv(65536)


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
