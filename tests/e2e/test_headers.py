"""Requests on the wire: repeated headers, chunked bodies, and bytes that are not UTF-8."""

import json
import re
import socket
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from tests.e2e.service import BODY, PATIENCE, Service

pytestmark = pytest.mark.slow

PAYMENTS: Final = "/api/v1/payments"
DATA: Final = json.dumps(BODY).encode()


@pytest.fixture
def running(shared_service: Service) -> Service:
    return shared_service


def ask(
    running: Service,
    method: str,
    path: str,
    *headers: str | bytes,
    body: bytes = b"",
    key: str = "",
) -> tuple[int, dict[str, str], Any]:
    """Send exactly these header lines. Return the answer's status, headers and JSON."""
    address = urlsplit(running.url)
    given = (*headers, f"Authorization: Bearer {running.key}") if not key else headers
    lines = [each.encode() if isinstance(each, str) else each for each in given]
    if not any(line.lower().startswith(b"host:") for line in lines):
        lines.append(f"Host: {address.netloc}".encode())
    request = b"\r\n".join([f"{method} {path} HTTP/1.1".encode(), *lines, b"Connection: close"])
    with socket.create_connection((address.hostname, address.port), PATIENCE) as connection:
        connection.sendall(request + b"\r\n\r\n" + body)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, content = answer.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    found = dict(re.split(": *", field.lower(), maxsplit=1) for field in fields)
    return (
        int(status.split()[1]),
        found,
        json.loads(content) if content.startswith(b"{") else content,
    )


def submit(running: Service, *headers: str | bytes) -> tuple[int, dict[str, str], Any]:
    length = f"Content-Length: {len(DATA)}"
    kind = () if any("Content-Type" in str(each) for each in headers) else (JSON,)
    return ask(running, "POST", PAYMENTS, *headers, *kind, length, body=DATA)


JSON: Final = "Content-Type: application/json"


@pytest.mark.parametrize(
    "headers",
    [
        ("Idempotency-Key: K", "Idempotency-Key: K"),
        ('Idempotency-Key: "K"', 'Idempotency-Key: "L"'),
        ("Idempotency-Key: K, K",),
        ("idempotency-key: K", "IDEMPOTENCY-KEY: K"),
    ],
)
def test_two_idempotency_keys_in_one_request_are_refused(
    running: Service, headers: tuple[str]
) -> None:
    before = running.query("SELECT count(*) FROM events_event")
    status, _, problem = submit(running, *headers)
    assert (status, problem["code"]) == (400, "idempotency_key_invalid")
    assert running.query("SELECT count(*) FROM events_event") == before


@pytest.mark.parametrize("header", ["Idempotency_Key: K", b"Idempotency-Key: K\xc3\xa9"])
def test_idempotency_key_that_proxies_drop_is_refused(
    running: Service, header: str | bytes
) -> None:
    status, _, problem = submit(running, header)
    assert status == 400
    assert problem["code"].startswith("idempotency_key_")


def test_idempotency_key_ignores_quotes_and_blanks(running: Service) -> None:
    first = submit(running, "Idempotency-Key: once")
    for header in ('Idempotency-Key:   "once"  ', "idempotency-key:once\t"):
        again = submit(running, header)
        assert (again[0], again[2]) == (first[0], first[2]) == (201, first[2])
        assert again[1]["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ((JSON, "Content-Type: text/plain"), 415, "unsupported_media_type"),
        (("Content-Type: text/plain", JSON), 415, "unsupported_media_type"),
        (("Content-Type: application/json; charset=latin-1",), 415, "unsupported_media_type"),
        ((JSON, "Content-Encoding: gzip"), 415, "unsupported_media_type"),
        (
            (JSON, "Content-Encoding: identity", "Content-Encoding: gzip"),
            415,
            "unsupported_media_type",
        ),
    ],
)
def test_two_content_types_are_refused(
    running: Service, headers: tuple[str], status: int, code: str
) -> None:
    found, _, problem = submit(running, "Idempotency-Key: types", *headers)
    assert (found, problem["code"]) == (status, code)


def test_other_headers_sent_twice_are_never_half_honored(running: Service) -> None:
    twice = f"Authorization: Bearer {running.key}"
    status, _, problem = ask(running, "GET", PAYMENTS, twice, twice, key="two")
    assert (status, problem["code"]) == (401, "not_authenticated")

    status, _, problem = ask(running, "GET", PAYMENTS, "X-Min-Position: 0", "X-Min-Position: 1")
    assert (status, problem["errors"][0]["field"]) == (400, "X-Min-Position")

    status, headers, _ = ask(running, "GET", PAYMENTS, "X-Request-ID: a", "X-Request-ID: b")
    assert status == 200
    assert re.fullmatch("[0-9a-f-]{36}", headers["x-request-id"])

    status, _, problem = ask(running, "GET", PAYMENTS, "Host: localhost", "Host: evil.example")
    assert (status, problem["code"]) == (400, "invalid_request")


def test_etags_on_several_lines_are_a_list(running: Service) -> None:
    _, _, payment = submit(running, "Idempotency-Key: to-refund")
    path = f"{PAYMENTS}/{payment['id']}"
    status, _, _ = ask(running, "GET", path, 'If-None-Match: "1"', 'If-None-Match: W/"2"')
    assert status == 304
    body = b'{"reason": "other"}'
    headers = ("Idempotency-Key: refund", JSON, f"Content-Length: {len(body)}")
    tags = ('If-Match: "1"', 'If-Match: W/"2-gzip"')
    status, _, _ = ask(running, "POST", f"{path}/refunds", *headers, *tags, body=body)
    assert status == 200


def test_chunked_body_is_accepted(running: Service) -> None:
    """PostAsJsonAsync of .NET sends chunks without a Content-Length."""
    chunks = b"%x\r\n%s\r\n5\r\n     \r\n0\r\n\r\n" % (len(DATA), DATA)
    headers = ("Idempotency-Key: chunked", JSON, "Transfer-Encoding: chunked")
    status, _, payment = ask(running, "POST", PAYMENTS, *headers, body=chunks)
    assert (status, payment["amount"]) == (201, BODY["amount"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/customers/%ff/payments", 400),
        ("/api/v1/customers/%C3%AB/payments", 200),
        ("/api/v1/customers/%25ff/payments", 200),
        ("/api/v1/payments?customer_id=%ff", 400),
        ("//api/v1/payments", 404),
        ("/api/v1/../v1/payments", 404),
    ],
)
def test_addresses_arrive_as_they_were_sent(running: Service, path: str, status: int) -> None:
    found, headers, answer = ask(running, "GET", path)
    assert found == status, answer
    if status >= 400:
        assert headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("host", ["10.1.2.3:8000", "pod_7", "evil.example", "[::1]:80"])
def test_probes_need_no_known_host(running: Service, host: str) -> None:
    for path in ("/healthz", "/readyz"):
        assert ask(running, "GET", path, f"Host: {host}")[0] == 200


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (b'If-Match: "1\xff"', "invalid_request"),
        ('If-Match: "1", „2“'.encode(), "invalid_request"),
        ("Content-Type: application/json; x=ü".encode(), "unsupported_media_type"),
        ("Content-Encoding: gzip; ü".encode(), "unsupported_media_type"),
        ("Idempotency-Key: café".encode(), "idempotency_key_invalid"),
    ],
)
def test_unreadable_header_is_refused_instead_of_ignored(
    running: Service, header: bytes, code: str
) -> None:
    _, _, payment = submit(running, "Idempotency-Key: to-keep")
    body = b'{"reason": "other"}'
    given: dict[str, str | bytes] = {
        "Idempotency-Key": "Idempotency-Key: unreadable",
        "Content-Type": JSON,
        "Content-Length": f"Content-Length: {len(body)}",
        header.split(b":")[0].decode(): header,
    }
    path = f"{PAYMENTS}/{payment['id']}"

    _, _, problem = ask(running, "POST", f"{path}/refunds", *given.values(), body=body)

    assert problem["code"] == code
    assert ask(running, "GET", path)[2]["status"] == "completed"


@pytest.mark.parametrize("sender", [b"\xff, 192.0.2.1", "ü, 192.0.2.1".encode(), b"192.0.2.1"])
def test_metrics_detect_a_proxy_by_an_unreadable_header(running: Service, sender: bytes) -> None:
    assert ask(running, "GET", "/metrics")[0] == 200
    assert ask(running, "GET", "/metrics", b"X-Forwarded-For: " + sender)[0] == 403


@pytest.mark.parametrize(
    "name",
    ["Accept", "Cookie", "Referer", "User-Agent", "Origin", "Range", "If-None-Match"]
    + ["If-Modified-Since", "Accept-Language", "Accept-Encoding", "X-Customs-Officer"],
)
def test_unreadable_header_does_not_cause_a_server_error(running: Service, name: str) -> None:
    for path in (PAYMENTS, "/api/docs/", "/admin/login/", "/static/readmodels/backoffice.css"):
        status = ask(running, "GET", path, f"{name}: ü".encode())[0]
        assert status in {200, 206, 406, 416}, path
