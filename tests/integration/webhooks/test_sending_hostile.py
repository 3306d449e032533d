"""Requests to endpoints that are slow, endless or not HTTP end within their deadlines.

A plain timeout restarts with each byte, so a slow endpoint could prolong a request endlessly.
"""

import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from readmodels.webhooks import connections
from readmodels.webhooks.sending import Answer, Sender
from tests.support.certificates import Authority
from tests.support.endpoints import OK, Serve, Visit, answering, answering_once, endpoint

pytestmark = pytest.mark.slow

SECONDS = 0.5
LATE = f"The endpoint did not answer completely within {SECONDS} s."
TOO_LARGE = "The answer is longer than 64 KiB."
NO_HTTP = "The endpoint did not answer with valid HTTP."
CLOSED = "The endpoint closed the connection before it answered."

HEAD = b"HTTP/1.1 200 OK\r\n"


def ask(serve: Serve, *, seconds: float = 5, body: bytes = b"{}") -> Answer:
    with endpoint(serve) as there, Sender(there.url, seconds=seconds, debug=True) as ours:
        return ours.send(body, {})


def writing(pieces: Iterator[bytes], *, pause: float = 0) -> Serve:
    """Return an endpoint that answers in pieces, until the sender ends the connection."""

    def serve(visit: Visit) -> None:
        visit.read()
        for piece in pieces:
            visit.write(piece)
            time.sleep(pause)

    return serve


def byte_by_byte(beginning: bytes, rest: bytes) -> Iterator[bytes]:
    yield beginning
    for byte in rest:
        yield bytes([byte])


@pytest.mark.parametrize(
    ("beginning", "rest"),
    [
        (b"", b"HTTP/1.1 200 " + b"O" * 100),
        (HEAD, b"x-header: " + b"a" * 100),
        (HEAD, b"a: b\r\n" * 20),
        (HEAD + b"content-length: 60000\r\n\r\n", b"a" * 100),
        (HEAD + b"\r\n", b"a" * 100),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 20),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1;" + b"a" * 100),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\n", b"trailer: a\r\n" * 10),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 5),
    ],
    ids=[
        "status", "header", "headers", "length", "until closed", "chunks", "chunk size", "trailers",
        "continue",
    ],
)  # fmt: skip
def test_send_ends_at_deadline_when_endpoint_answers_byte_by_byte(
    beginning: bytes, rest: bytes
) -> None:
    started = time.monotonic()

    answer = ask(writing(byte_by_byte(beginning, rest), pause=0.05), seconds=SECONDS)

    assert answer.error == LATE
    assert not answer.delivered
    assert 0.4 < time.monotonic() - started < 3


def test_send_ends_at_deadline_when_endpoint_stays_silent() -> None:
    answer = ask(lambda visit: visit.read() and visit.read(), seconds=SECONDS)

    assert (answer.status, answer.error) == (None, LATE)
    assert 400 < answer.milliseconds < 3000


def test_send_ends_at_deadline_when_endpoint_reads_nothing() -> None:
    """The request's body is larger than the buffers of both sockets, so sending blocks."""
    end = threading.Event()

    answer = ask(lambda _: end.wait(2), seconds=SECONDS, body=b"a" * 50_000_000)

    assert answer.error == LATE
    assert answer.milliseconds < 1900


def test_send_ends_at_deadline_during_tls_handshake() -> None:
    """The endpoint sends the header of a TLS record and then its bytes, slowly."""

    def serve(visit: Visit) -> None:
        visit.connection.recv(1000)
        for byte in b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03" + b"\0" * 100:
            visit.write(bytes([byte]))
            time.sleep(0.05)

    with endpoint(serve) as there:
        url = there.url.replace("http:", "https:")
        with Sender(url, seconds=SECONDS, debug=True) as ours:
            answer = ours.send(b"{}", {})

    assert answer.error == LATE
    assert 400 < answer.milliseconds < 3000


@pytest.mark.parametrize(
    "beginning",
    [b"", HEAD, HEAD + b"content-length: 60000\r\n\r\n"],
    ids=["status", "header", "body"],
)
def test_send_ends_at_deadline_when_answer_over_tls_is_slow(
    beginning: bytes, authority: Authority
) -> None:
    slow = writing(byte_by_byte(beginning, b"a" * 100), pause=0.05)
    with (
        endpoint(slow, tls=authority.server("localhost")) as there,
        Sender(there.at("localhost"), seconds=SECONDS, debug=True) as ours,
    ):
        answer = ours.send(b"{}", {})

    assert answer.error == LATE
    assert 400 < answer.milliseconds < 3000


def test_send_ends_at_deadline_when_endpoint_reads_slowly_over_tls(authority: Authority) -> None:
    """TLS splits a body into records. The timeout must not restart with each of them."""

    def serve(visit: Visit) -> None:
        for _ in range(200):
            visit.connection.recv(16_384)
            time.sleep(0.02)

    with (
        endpoint(serve, tls=authority.server("localhost")) as there,
        Sender(there.at("localhost"), seconds=SECONDS, debug=True) as ours,
    ):
        answer = ours.send(b"a" * 50_000_000, {})

    assert answer.error == LATE
    assert 400 < answer.milliseconds < 3000


def test_send_gives_each_request_its_own_time() -> None:
    """Regression: a request's remaining time stayed the socket's timeout and ended the next one."""

    def serve(visit: Visit) -> None:
        visit.read()
        time.sleep(1.2)
        visit.write(OK[:20])
        time.sleep(0.5)
        visit.write(OK[20:])
        time.sleep(1)
        visit.read()
        visit.write(OK)

    with endpoint(serve) as there, Sender(there.url, seconds=2, debug=True) as ours:
        answers = [ours.send(body, {}) for body in (b"{}", b"a" * 20_000_000)]

    assert [answer.error for answer in answers] == ["", ""]
    assert there.connections == 1


def test_send_ends_at_deadline_when_name_resolves_slowly() -> None:
    end = threading.Event()

    def slow(host: str) -> Sequence[str]:
        end.wait()
        return ["127.0.0.1"]

    with Sender("http://hooks.example.com/", seconds=0.2, debug=True, resolver=slow) as ours:
        answer = ours.send(b"{}", {})
    end.set()

    assert answer.error.startswith("The host name hooks.example.com was not resolved within")
    assert answer.milliseconds < 1500


def test_send_gives_up_connecting_before_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full backlog swallows connections, as a firewall does. All addresses share the timeout."""
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.4)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        with Sender(
            f"http://hooks.example.com:{port}/",
            seconds=20,
            debug=True,
            resolver=lambda _: ["127.0.0.1", "127.0.0.1"],
        ) as ours:
            answer = ours.send(b"{}", {})
        for each in waiting:
            each.close()

    assert answer.error == "The endpoint did not accept a connection in time."
    assert 300 < answer.milliseconds < 5000


@pytest.mark.parametrize(
    ("beginning", "piece", "error"),
    [
        (HEAD + b"\r\n", b"a" * 8192, TOO_LARGE),
        (HEAD + b"content-length: 99999999999\r\n\r\n", b"a" * 8192, TOO_LARGE),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1000\r\n" + b"a" * 4096 + b"\r\n", TOO_LARGE),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 1000, TOO_LARGE),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n-1\r\n", b"a" * 8192, TOO_LARGE),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\n", b"trailer: a\r\n" * 1000, TOO_LARGE),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, TOO_LARGE),
        (b"HTTP/1.1 100 Continue\r\n", b"a: b\r\n", NO_HTTP),
        (HEAD, b"a: b\r\n", NO_HTTP),
        (HEAD + b"a: ", b"b" * 8192, NO_HTTP),
        (b"HTTP/1.1 200 ", b"O" * 8192, NO_HTTP),
        (b"", b"\0" * 8192, NO_HTTP),
    ],
    ids=[
        "until closed", "length", "chunks", "small chunks", "negative chunk", "trailers", "continue",
        "headers of continue", "headers", "header", "status", "no line",
    ],
)  # fmt: skip
def test_send_ends_early_when_answer_is_endless(beginning: bytes, piece: bytes, error: str) -> None:
    written = [len(beginning)]

    def pieces() -> Iterator[bytes]:
        yield beginning
        while True:
            yield piece
            written[0] += len(piece)

    answer = ask(writing(pieces()), seconds=20)

    assert answer.error == error
    assert answer.milliseconds < 15_000
    assert written[0] < 20_000_000  # most of these bytes are in the sockets' buffers


@pytest.mark.parametrize("framing", [b"content-length: %d\r\n\r\n", b"x-length: %d\r\n\r\n"])
def test_send_accepts_answer_of_64_kib_and_no_longer_one(framing: bytes) -> None:
    answers = []
    for size in (64 * 1024, 64 * 1024 + 1):
        raw = HEAD + framing % size + b"a" * size
        answers.append(ask(answering_once(raw)))

    assert [answer.delivered for answer in answers] == [True, False]
    assert [answer.error for answer in answers] == ["", TOO_LARGE]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[1].response == "a" * 1024


@pytest.mark.parametrize("end", [b"a" * 100_000, b"1\r\na\r\n" * 100_000], ids=["long", "endless"])
def test_send_returns_refusal_with_long_body(end: bytes) -> None:
    """Regression: a refusal with a long page counted as a failure and stopped all events."""
    framing = b"transfer-encoding: chunked" if end[:1] == b"1" else b"content-length: 100000"

    answer = ask(answering_once(b"HTTP/1.1 422 No\r\n" + framing + b"\r\n\r\n" + end))

    assert (answer.status, answer.error) == (422, "")


def test_send_decompresses_nothing() -> None:
    """Compressed twice, 20 MB of zeros take less than a kilobyte."""
    bomb = gzip.compress(gzip.compress(bytes(20_000_000)))
    raw = HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb) + bomb

    tracemalloc.start()
    try:
        answer = ask(answering(raw))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answer.delivered
    assert answer.response == ""
    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", CLOSED),
        (b"HTT", NO_HTTP),
        (b"hello\r\n\r\n", NO_HTTP),
        (b"\r\n\r\n", NO_HTTP),
        (b"SSH-2.0-OpenSSH_9.2\r\n", NO_HTTP),
        (b"-ERR unknown command 'POST'\r\n", NO_HTTP),
        (b"\x15\x03\x01\x00\x02\x02\x0a", NO_HTTP),
        (b"HTTP/1.1\r\n\r\n", NO_HTTP),
        (b"HTTP/1.1 abc OK\r\n\r\n", NO_HTTP),
        (b"HTTP/1.1 99 OK\r\n\r\n", NO_HTTP),
        (b"HTTP/1.1 1000 OK\r\n\r\n", NO_HTTP),
        (b"HTTP/1.1 -200 OK\r\n\r\n", NO_HTTP),
        (b"HTTP/2.0 200 OK\r\n\r\n", NO_HTTP),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", NO_HTTP),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, NO_HTTP),
        (HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n", NO_HTTP),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nab", NO_HTTP),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n-5\r\nab", NO_HTTP),
        (HEAD + b"content-length: 5\r\n\r\nab", CLOSED),
        (HEAD + b"content-length: 5\r\n\r\n", CLOSED),
    ],
)
def test_send_reports_answer_that_is_not_http(raw: bytes, error: str) -> None:
    answer = ask(answering_once(raw))

    assert answer.error == error
    assert not answer.delivered


def test_send_reports_reset_connection() -> None:
    def serve(visit: Visit) -> None:
        visit.read()
        # Close with RST instead of FIN.
        visit.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        visit.close()

    assert ask(serve).error == CLOSED


def test_send_gives_up_when_endpoint_closes_every_connection() -> None:
    """The second try for closed idle connections must not be followed by a third."""

    def serve(visit: Visit) -> None:
        visit.read()
        if there.connections == 1:
            visit.write(OK)
            visit.read()

    with endpoint(serve) as there, Sender(there.url, seconds=5, debug=True) as ours:
        answers = [ours.send(b"{}", {}) for _ in range(2)]

    assert [answer.error for answer in answers] == ["", CLOSED]
    assert there.connections == 2


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=100).map(lambda raw: HEAD + raw),
        st.binary(max_size=100).map(lambda raw: HEAD + raw + b"\r\n\r\n"),
        st.binary(max_size=100).map(lambda raw: HEAD + b"transfer-encoding: chunked\r\n\r\n" + raw),
        st.binary(max_size=40).map(lambda raw: HEAD + b"retry-after: " + raw + b"\r\n\r\n"),
        st.binary(max_size=40).map(lambda raw: HEAD + b"content-length: " + raw + b"\r\n\r\nok"),
    )
)
def test_send_raises_nothing_for_any_answer(raw: bytes) -> None:
    answer = ask(answering_once(raw))

    assert "\0" not in answer.response
    answer.response.encode()
    assert answer.delivered == (answer.error == "" and answer.status in range(200, 300))
