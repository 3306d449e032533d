"""Bodies that arrive slowly, partly or not at all."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final, Self
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.e2e.service import BODY, Service, service, wait_for
from tests.support import clusters

pytestmark = pytest.mark.slow

API: Final = "/api/v1/payments"
LOGIN: Final = "/admin/login/"
NEW_NOTE: Final = f"/admin/readmodels/paymentsummary/{uuid4()}/note/"
SECONDS: Final = 3.0


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    with (
        clusters.cluster(durable=False) as postgres,
        clusters.valkey(durable=False) as valkey,
        service(postgres, valkey, BODY_SECONDS=str(SECONDS)) as running,
    ):
        running.start_web()
        yield running


class Sender:
    """A connection that sends given bytes at given times."""

    def __init__(self, running: Service) -> None:
        self.socket = socket.create_connection(("127.0.0.1", urlsplit(running.url).port or 0))
        self.socket.settimeout(30)
        self._key = running.key

    def head(self, path: str, *fields: str) -> "Sender":
        content_type = "application/json" if path.startswith("/api/") else FORM
        lines = (
            f"POST {path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {self._key}",
            f"Idempotency-Key: {uuid4()}",
            f"Content-Type: {content_type}",
            f"Cookie: csrftoken={'x' * 32}",
            *fields,
        )
        self.socket.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        return self

    def send(self, data: bytes) -> "Sender":
        self.socket.sendall(data)
        return self

    def answer(self, *, head: bool = False) -> tuple[int, dict[str, str], bytes]:
        """Return status, fields and content (`head`: no content). Raises OSError on hang-up."""
        received = b""
        while b"\r\n\r\n" not in received:
            piece = self.socket.recv(65536)
            if not piece:
                raise OSError("The server hung up.")
            received += piece
        content = received.partition(b"\r\n\r\n")[2]
        first, *lines = received.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines)
        while not head and len(content) < int(fields.get("content-length", "0")):
            content += self.socket.recv(65536)
        return int(first.split()[1]), fields, content

    def is_closed(self) -> bool:
        """Return whether the server has closed the connection."""
        return self.socket.recv(1) == b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


FORM: Final = "application/x-www-form-urlencoded"
PAYMENT: Final = json.dumps(BODY).encode()
LENGTH: Final = f"Content-Length: {len(PAYMENT)}"


def unfinished(running: Service, path: str) -> Sender:
    return Sender(running).head(path, "Content-Length: 100").send(b"a=")


def test_unfinished_bodies_block_no_thread_and_get_408(running: Service) -> None:
    """Regression: a request took a thread before its body came, so two blocked all other POSTs."""
    with ExitStack() as open_:
        began = time.monotonic()
        senders = [open_.enter_context(unfinished(running, path)) for path in (API, LOGIN) * 6]
        with ThreadPoolExecutor(8) as pool:
            while time.monotonic() - began < SECONDS / 2:
                answers = list(pool.map(lambda _: running.post()[0], range(16)))
                assert answers == [201] * 16
                assert running.get("/healthz")[0] == 200
        for sender, path in zip(senders, (API, LOGIN) * 6, strict=True):
            status, fields, content = sender.answer()
            assert (status, fields["connection"]) == (408, "close")
            assert fields["x-request-id"]
            if path == API:
                assert fields["content-type"] == "application/problem+json"
                problem = json.loads(content)
                assert (problem["code"], problem["status"]) == ("body_too_slow", 408)
                assert problem["request_id"] == fields["x-request-id"]
            assert sender.is_closed()
        assert time.monotonic() - began >= SECONDS


def test_trickling_body_has_the_same_deadline(running: Service) -> None:
    """A limit per pause between two pieces would permit hours."""
    with Sender(running).head(API, LENGTH) as sender:
        began = time.monotonic()
        with pytest.raises(OSError):
            for octet in PAYMENT * 100:
                sender.send(bytes([octet]))
                time.sleep(SECONDS / 20)
        assert SECONDS <= time.monotonic() - began < SECONDS * 10


def test_many_bodies_that_arrive_after_their_heads_are_all_taken(running: Service) -> None:
    """Regression: half of sixteen got a 503. Bodies arrive like this after Expect: 100-continue."""
    for fields in ((LENGTH,), (LENGTH, "Expect: 100-continue")):
        with ExitStack() as open_:
            senders = [open_.enter_context(Sender(running).head(API, *fields)) for _ in range(16)]
            time.sleep(0.15)
            for sender in senders:
                if len(fields) > 1:
                    assert sender.socket.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
                sender.send(PAYMENT)
            assert [sender.answer()[0] for sender in senders] == [201] * 16


def test_too_many_unfinished_bodies_drop_the_oldest(running: Service) -> None:
    with ExitStack() as open_:
        oldest = open_.enter_context(unfinished(running, LOGIN))
        time.sleep(0.2)
        for _ in range(256):
            open_.enter_context(unfinished(running, LOGIN))
        began = time.monotonic()
        assert running.post()[0] == 201
        assert oldest.answer()[0] == 408
        assert time.monotonic() - began < SECONDS / 2


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def test_chunked_body_is_accepted_and_its_repetition_recognized(running: Service) -> None:
    key = f"X-Correlation-ID: {uuid4()}"
    with Sender(running) as sender:
        sender.head(API, "Transfer-Encoding: chunked", key)
        sender.send(chunked(PAYMENT[:10], PAYMENT[10:], b""))
        status, _, content = sender.answer()
        assert (status, json.loads(content)["status"]) == (201, "completed")
        # The connection stays open for the next request.
        sender.head(API, LENGTH).send(PAYMENT)
        assert sender.answer()[0] == 201


@pytest.mark.parametrize("path", [API, LOGIN])
@pytest.mark.parametrize("announced", [True, False])
def test_large_body_is_refused_before_it_is_read(
    running: Service, path: str, *, announced: bool
) -> None:
    with Sender(running) as sender:
        if announced:
            sender.head(path, "Content-Length: 1000000000").send(b"x")
        else:
            sender.head(path, "Transfer-Encoding: chunked")
            try:
                for _ in range(300):
                    sender.send(chunked(b"x" * 1_000))
            except OSError:
                pass  # the server may have refused the body already
        status, fields, _ = sender.answer()
        assert (status, fields["connection"]) == (413, "close")


def test_large_body_arrives_at_the_address_of_new_notes_only(running: Service) -> None:
    """Only there does the body reach the application. Its 400 shows the usual limit for fields."""
    body = b"a=" + b"x" * 6_000_000
    length = f"Content-Length: {len(body)}"

    with Sender(running) as sender:
        assert sender.head(NEW_NOTE, length).send(body).answer()[0] == 400
    for path in (LOGIN, NEW_NOTE.replace("/note/", "/approve/")):
        with Sender(running) as sender:
            assert sender.head(path, length).send(b"a=").answer()[0] == 413
    with Sender(running) as sender:
        assert sender.head(NEW_NOTE, "Content-Length: 17000000").send(b"a=").answer()[0] == 413


def is_refused_as_large(running: Service) -> bool:
    with Sender(running) as sender:
        sender.head(NEW_NOTE, "Content-Length: 15000000").send(b"a=")
        sender.socket.settimeout(0.5)
        try:
            return sender.answer()[0] == 413
        except TimeoutError:
            return False  # the server waits for the rest of the body


def test_few_large_bodies_are_received_at_a_time(running: Service) -> None:
    """Without the limit, 256 unfinished bodies could take 4 GB of memory."""
    assert not is_refused_as_large(running)

    with ExitStack() as open_:
        for _ in range(8):
            sender = open_.enter_context(Sender(running))
            sender.head(NEW_NOTE, "Content-Length: 15000000").send(b"a=")

        wait_for(lambda: is_refused_as_large(running))
        with Sender(running) as small:
            assert small.head(NEW_NOTE, "Content-Length: 2").send(b"a=").answer()[0] == 403

    wait_for(lambda: not is_refused_as_large(running))


@pytest.mark.parametrize(
    "cut", [b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\na=1&b\r\n4\r"]
)
def test_truncated_body_is_refused(running: Service, cut: bytes) -> None:
    """Regression: the application took the truncated body for a complete one."""
    with Sender(running) as sender:
        sender.send(
            b"POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n" + cut
        )
        time.sleep(0.1)
        sender.socket.shutdown(socket.SHUT_WR)
        status, _, content = sender.answer()
        assert (status, content) == (400, b"The body ended before its announced length.\n")
    assert running.post()[0] == 201


def test_environment_describes_the_request(running: Service) -> None:
    """Requests with other scripts in path and query, with HEAD, without a body, without a Host."""
    assert running.get(f"{API}?status=%C3%A9")[0] == 400
    assert running.get("/api/v1/customers/%E5%B1%B1%E7%94%B0/payments")[1]["payments"] == []
    assert running.get(f"{API}/%ff")[0] == 404
    with Sender(running) as sender:
        sender.send(b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, fields, content = sender.answer(head=True)
        assert (status, fields["content-length"], content) == (200, "3", b"")
        sender.send(b"GET /api/docs/ HTTP/1.0\r\n\r\n")
        assert sender.answer()[0] == 400
        assert sender.is_closed()
    with Sender(running) as sender:
        sender.head(f"{API}/00000000-0000-4000-8000-000000000000/cancel", "Content-Length: 0")
        assert sender.answer()[0] in {400, 404, 415}


def test_static_files_are_streamed_whole(running: Service) -> None:
    with Sender(running) as sender:
        sender.send(b"GET /static/readmodels/backoffice.css HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, fields, content = sender.answer()

    assert (status, len(content)) == (200, int(fields["content-length"]))
    assert content.rstrip().endswith(b"}")


def test_connection_without_a_complete_head_is_closed(running: Service) -> None:
    """Without the server's deadline for heads, idle connections would use up its limit."""
    with Sender(running) as silent, Sender(running) as half:
        half.send(b"POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half")
        began = time.monotonic()
        assert half.socket.recv(1000) == b""
        assert silent.socket.recv(1000) == b""
        assert time.monotonic() - began > 5


def test_server_answers_a_running_request_before_it_stops(
    running: Service,
) -> None:
    with Sender(running).head(API, LENGTH) as sender:
        time.sleep(0.2)
        sender.send(PAYMENT)
        running.stop()
        assert sender.answer()[0] == 201
    running.start_web()
    wait_for(lambda: running.post()[0] == 201)
