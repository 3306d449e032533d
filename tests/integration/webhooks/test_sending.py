"""Requests to an endpoint: what is sent, how answers are read, how connections are reused."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from readmodels.webhooks.sending import Answer, Sender, retry_after, text
from tests.support.certificates import Authority
from tests.support.endpoints import OK, Endpoint, Visit, answering, answering_once, endpoint

AT = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def sender(to: Endpoint, *, seconds: float = 5) -> Sender:
    return Sender(to.url, seconds=seconds, debug=True)


def test_send_posts_body_with_headers() -> None:
    with endpoint(answering(OK)) as there, sender(there) as ours:
        answer = ours.send(b'{"a": 1}', {"webhook-id": "evt_1"})

    head, body = there.requests[0].split(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /hook http/1.1"
    assert sorted(lines[1:]) == [
        "accept-encoding: identity",
        "content-length: 8",
        "content-type: application/json",
        f"host: 127.0.0.1:{there.port}",
        "user-agent: payments-review",
        "webhook-id: evt_1",
    ]
    assert body == b'{"a": 1}'
    assert answer == Answer(status=200, response="ok", milliseconds=answer.milliseconds)
    assert answer.delivered


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503])
def test_send_returns_status_and_body_of_refusal(status: int) -> None:
    raw = b"HTTP/1.1 %d Some text\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nlate" % status

    with endpoint(answering(raw)) as there, sender(there) as ours:
        answer = ours.send(b"{}", {})

    assert (answer.status, answer.error, answer.response) == (status, "", "late")
    assert answer.retry_after == timedelta(seconds=7)
    assert not answer.delivered


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ],
)
def test_send_reuses_connection_after_complete_answer(raw: bytes) -> None:
    with endpoint(answering(raw)) as there, sender(there) as ours:
        answers = [ours.send(b"{}", {}) for _ in range(3)]

    assert [answer.delivered for answer in answers] == [True] * 3
    assert there.connections == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok",
    ],
)
def test_send_opens_new_connection_after_answer_that_ends_the_old_one(raw: bytes) -> None:
    with endpoint(answering_once(raw)) as there, sender(there) as ours:
        answers = [ours.send(b"{}", {}) for _ in range(3)]

    assert [(answer.status, answer.response) for answer in answers] == [(200, "ok")] * 3
    assert there.connections == 3


def test_send_repeats_request_when_endpoint_closed_idle_connection() -> None:
    """Endpoints may close idle connections at any time. That must not make an attempt fail."""
    received = threading.Event()

    def serve(visit: Visit) -> None:
        visit.read()
        visit.write(OK)
        if there.connections == 1:
            visit.read()  # the return then closes the connection without an answer
            received.set()

    with endpoint(serve) as there, sender(there) as ours:
        answers = [ours.send(b"{}", {}) for _ in range(2)]

    assert received.is_set()
    assert [answer.delivered for answer in answers] == [True, True]
    assert (there.connections, len(there.requests)) == (2, 3)


def test_send_ignores_bytes_that_follow_an_answer() -> None:
    """Otherwise, they would answer the next request, which the endpoint has not seen."""
    answered, surplus = threading.Event(), threading.Event()

    def serve(visit: Visit) -> None:
        visit.read()
        visit.write(OK)
        answered.wait(5)
        visit.write(b"HTTP/1.1 204 Surplus\r\n\r\n")
        surplus.set()
        visit.read()

    with endpoint(serve) as there, sender(there) as ours:
        ours.send(b"{}", {})
        answered.set()
        surplus.wait(5)
        second = ours.send(b"{}", {})

    assert second.status == 200
    assert there.connections == 2


def test_send_ignores_bytes_that_follow_an_answer_in_a_record_of_tls(authority: Authority) -> None:
    """TLS has already decrypted the extra bytes, so the socket is not readable."""
    first = OK.ljust(8192)  # as many bytes as are read at once

    def serve(visit: Visit) -> None:
        while visit.read():
            visit.write(first + OK.replace(b"200", b"201") if there.connections == 1 else OK)

    with (
        endpoint(serve, tls=authority.server("localhost")) as there,
        Sender(there.at("localhost"), seconds=5, debug=True) as ours,
    ):
        answers = [ours.send(b"{}", {}) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert there.connections == 2


def test_send_serves_threads_with_a_connection_each() -> None:
    def serve(visit: Visit) -> None:
        while request := visit.read():
            body = request.partition(b"\r\n\r\n")[2]
            visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    bodies = [f"message {number}" for number in range(400)]
    with endpoint(serve) as there, sender(there) as ours, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda body: ours.send(body.encode(), {}), bodies))

    assert [answer.response for answer in answers] == bodies
    assert there.connections <= 8


def test_close_ends_idle_and_used_connections() -> None:
    asked, closed = threading.Event(), threading.Event()
    ended: list[bytes] = []

    def serve(visit: Visit) -> None:
        visit.read()
        asked.set()
        closed.wait(5)
        visit.write(OK)
        ended.append(visit.read())

    with endpoint(serve) as there, ThreadPoolExecutor(1) as thread:
        ours = sender(there)
        answer = thread.submit(ours.send, b"{}", {})
        asked.wait(5)
        ours.close()
        closed.set()
        assert answer.result().delivered

    assert ended == [b""]


def test_send_keeps_no_cookies() -> None:
    raw = b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"

    with endpoint(answering(raw)) as there, sender(there) as ours:
        ours.send(b"{}", {})
        ours.send(b"{}", {})

    assert b"cookie" not in there.requests[1].lower()


def test_send_uses_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(answering(OK)) as proxy, endpoint(answering(OK)) as there:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        with sender(there) as ours:
            answer = ours.send(b"{}", {})

    assert answer.delivered
    assert proxy.connections == 0


def test_send_measures_milliseconds() -> None:
    def serve(visit: Visit) -> None:
        visit.read()
        threading.Event().wait(0.2)
        visit.write(OK)

    with endpoint(serve) as there, sender(there) as ours:
        answer = ours.send(b"{}", {})

    assert 200 <= answer.milliseconds < 5000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", timedelta()),
        ("120", timedelta(seconds=120)),
        ("999999999", timedelta(seconds=999_999_999)),
        ("Wed, 01 Jul 2026 12:01:30 GMT", timedelta(seconds=90)),
        ("Wednesday, 01-Jul-26 12:01:30 GMT", timedelta(seconds=90)),
        ("Wed Jul  1 12:01:30 2026", timedelta(seconds=90)),
        ("Wed, 01 Jul 2026 14:01:30 +0200", timedelta(seconds=90)),
        ("Wed, 01 Jul 2026 11:59:59 GMT", timedelta()),
        ("Sun, 06 Nov 1994 08:49:37 GMT", timedelta()),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("1e9", None),
        ("+5", None),
        ("٣", None),
        ("9" * 5000, None),
        ("soon", None),
        ("Wed, 99 Jul 2026 12:01:30 GMT", None),
        ("Wed, 01 Jul 99999999999 12:01:30 GMT", None),
    ],
)
def test_retry_after_reads_seconds_and_dates(value: str, expected: timedelta | None) -> None:
    assert retry_after(value, AT) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", ""),
        ("größer".encode(), "größer"),
        (b"a\0b", "a\N{REPLACEMENT CHARACTER}b"),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
        (b"\xed\xa0\x80", "\N{REPLACEMENT CHARACTER}" * 3),  # a lone surrogate
        (b"a" * 5000, "a" * 1024),
        (b"a" * 1023 + "é".encode(), "a" * 1023),
    ],
)
def test_text_can_be_stored(body: bytes, expected: str) -> None:
    found = text(body)

    assert found == expected
    found.encode()


def test_send_shows_nothing_of_encoded_body() -> None:
    raw = b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\nok"

    with endpoint(answering(raw)) as there, sender(there) as ours:
        answer = ours.send(b"{}", {})

    assert answer.delivered
    assert answer.response == ""


def test_send_reports_refused_connection() -> None:
    with endpoint(answering(OK)) as there:
        pass

    with sender(there) as ours:
        answer = ours.send(b"{}", {})

    assert (answer.status, answer.error) == (None, "The endpoint refused the connection.")


def test_send_tries_next_address_when_one_refuses() -> None:
    def both(host: str) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    with (
        endpoint(answering(OK)) as there,
        Sender(there.at("hooks.example.com"), seconds=5, debug=True, resolver=both) as ours,
    ):
        answer = ours.send(b"{}", {})

    assert answer.delivered
