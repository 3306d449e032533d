"""A receiver of webhooks on loopback. It verifies messages with the package `standardwebhooks`."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connections
from msgspec import Struct
from standardwebhooks import Webhook


class Received(Struct, frozen=True):
    """A message, and the time of its arrival in seconds of the monotonic clock."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    @property
    def payment_id(self) -> str:
        payment_id: str = self.event["data"]["payment_id"]
        return payment_id


class Reply(Struct, frozen=True):
    status: int = 204
    headers: Mapping[str, str] = {}
    body: bytes = b""
    seconds: float = 0.0  # the delay before the reply


class Sink:
    """A receiver that keeps its messages.

    `answer` chooses the reply. `secrets` has the secrets to verify messages with, by path.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.invalid: list[Exception] = []
        self.secrets: dict[str, str] = {}
        self.answer: Callable[[Received], Reply] = lambda _: Reply()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, message: Received) -> Reply:
        try:
            if secret := self.secrets.get(message.path):
                Webhook(secret).verify(message.body, dict(message.headers))
        except Exception as error:  # noqa: BLE001 - a test asserts that there is none
            self.invalid.append(error)
        self.received.append(message)
        try:
            reply = self.answer(message)
        finally:
            connections.close_all()  # this thread's connections, if `answer` used the database
        time.sleep(reply.seconds)
        return reply

    def ids(self, path: str | None = None) -> list[str]:
        """Return the ids of the received messages, in order of arrival."""
        return [each.id for each in self.received if path in {None, each.path}]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def sink() -> Iterator[Sink]:
    running = Sink()
    try:
        yield running
    finally:
        running.close()


def verifies(public_key: str, message: Received) -> bool:
    """Return whether a `v1a` signature of the message belongs to the published key."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    signed = b".".join(
        (message.id.encode(), message.headers["webhook-timestamp"].encode(), message.body)
    )
    for each in message.headers["webhook-signature"].split():
        version, signature = each.split(",")
        if version == "v1a":
            key.verify(base64.b64decode(signature), signed)
            return True
    return False


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore senders that were killed or gave up."""


def _handler(owner: Sink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:
                self.close_connection = True  # the sender was killed
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = owner.take(Received(self.path, headers, body, time.monotonic()))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Log nothing."""

    return Handler
