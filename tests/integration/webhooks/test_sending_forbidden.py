"""Forbidden addresses, changing DNS, redirects and TLS, each with real sockets."""

from collections.abc import Sequence
from datetime import timedelta
from http.client import NotConnected
from ipaddress import ip_address
from pathlib import Path

import pytest

from readmodels.webhooks import connections
from readmodels.webhooks.addresses import parse
from readmodels.webhooks.sending import Sender
from tests.support.certificates import Authority
from tests.support.endpoints import OK, Visit, answering, answering_once, endpoint

NAME = "hooks.example.com"
PUBLIC = "93.184.215.14"


class Dns:
    """A name server that gives one answer after the other and then repeats the last one."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.questions = 0

    def __call__(self, host: str) -> Sequence[str]:
        assert host == NAME
        self.questions += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def test_send_connects_to_the_address_that_was_checked() -> None:
    """If connecting looked the name up again, it could get another answer than the check."""
    dns = Dns(["127.0.0.1"], ["10.0.0.1"])

    with (
        endpoint(answering(OK)) as there,
        Sender(there.at(NAME), seconds=5, debug=True, resolver=dns) as ours,
    ):
        answer = ours.send(b"{}", {})

    assert answer.delivered
    assert dns.questions == 1
    assert f"host: {NAME}:{there.port}".encode() in there.requests[0].lower()


@pytest.mark.parametrize("second", [["10.0.0.1"], ["127.0.0.1", "169.254.169.254"], ["fec0::1"]])
def test_send_refuses_name_whose_addresses_became_private(second: Sequence[str]) -> None:
    """With DNS rebinding, a name's addresses change after the check of the first connection."""
    dns = Dns(["127.0.0.1"], second)

    with (
        endpoint(answering_once(OK)) as there,
        Sender(there.at(NAME), seconds=5, debug=True, resolver=dns) as ours,
    ):
        first, then = (ours.send(b"{}", {}) for _ in range(2))

    assert first.delivered
    assert then.status is None
    assert then.error == f"The host name {NAME} has an address that is not public."
    assert there.connections == 1


@pytest.mark.parametrize(
    "answer",
    [["127.0.0.1"], ["::ffff:127.0.0.1"], [PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], ["::1"]],
)
def test_send_connects_nowhere_when_an_address_is_private(
    answer: Sequence[str], authority: Authority
) -> None:
    """Without the check, the request would reach the server on this machine."""
    with (
        endpoint(answering(OK), tls=authority.server(NAME)) as there,
        Sender(there.at(NAME), seconds=5, debug=False, resolver=Dns(answer)) as ours,
    ):
        found = ours.send(b"{}", {})

    assert found.error == f"The host name {NAME} has an address that is not public."
    assert there.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "localhost", "[::1]"])
def test_send_connects_nowhere_when_stored_url_is_forbidden(
    host: str, authority: Authority
) -> None:
    """An endpoint may have been stored with DEBUG, or by an older version."""
    with (
        endpoint(answering(OK), tls=authority.server("localhost")) as there,
        Sender(there.at(host), seconds=5, debug=False) as ours,
    ):
        answer = ours.send(b"{}", {})

    assert answer.status is None
    assert answer.error
    assert there.connections == 0


def test_send_refuses_http_without_debug() -> None:
    with endpoint(answering(OK)) as there, Sender(there.url, seconds=5, debug=False) as ours:
        answer = ours.send(b"{}", {})

    assert answer.error == "The URL must begin with https://."
    assert there.connections == 0


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
@pytest.mark.parametrize("to", ["this machine", "metadata", "public"])
def test_send_follows_no_redirect(status: int, to: str) -> None:
    """A redirect would let an endpoint choose an unchecked address."""
    with endpoint(answering(OK)) as elsewhere:
        location = {
            "this machine": elsewhere.url,
            "metadata": "http://169.254.169.254/latest/meta-data/",
            "public": f"https://{PUBLIC}/",
        }[to]
        raw = f"HTTP/1.1 {status} Elsewhere\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
        with (
            endpoint(answering(raw.encode())) as there,
            Sender(there.url, seconds=5, debug=True) as ours,
        ):
            answer = ours.send(b"{}", {})

    assert answer.status == status
    assert answer.error == f"The endpoint redirects ({status}); redirects are not followed."
    assert not answer.delivered
    assert (there.connections, len(there.requests), elsewhere.connections) == (1, 1, 0)


def test_send_verifies_certificate_for_the_name(authority: Authority) -> None:
    """The connection goes to the checked address, but the certificate must be the host's."""
    with (
        endpoint(answering(OK), tls=authority.server(NAME)) as there,
        Sender(there.at(NAME), seconds=5, debug=True, resolver=Dns(["127.0.0.1"])) as ours,
    ):
        answers = [ours.send(b"{}", {}) for _ in range(3)]

    assert [(answer.status, answer.error) for answer in answers] == [(200, "")] * 3
    assert there.connections == 1


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("self-signed", "self-signed certificate"),
        ("another host", f"Hostname mismatch, certificate is not valid for '{NAME}'"),
        ("expired", "certificate has expired"),
        ("unknown authority", "unable to get local issuer certificate"),
    ],
)
def test_send_refuses_invalid_certificate(
    kind: str, reason: str, authority: Authority, tmp_path: Path
) -> None:
    match kind:
        case "self-signed":
            tls = authority.self_signed(NAME)
        case "another host":
            tls = authority.server("other.example.com")
        case "expired":
            tls = authority.server(NAME, age=timedelta(days=11))
        case _:
            (tmp_path / "other").mkdir()
            tls = Authority(tmp_path / "other", "Other authority").server(NAME)

    with (
        endpoint(answering(OK), tls=tls) as there,
        Sender(there.at(NAME), seconds=5, debug=True, resolver=Dns(["127.0.0.1"])) as ours,
    ):
        answer = ours.send(b"secret", {})

    assert answer.status is None
    assert answer.error == f"The TLS certificate is not valid: {reason}."
    assert there.requests == []


def test_send_reports_server_without_tls() -> None:
    def serve(visit: Visit) -> None:
        visit.write(b"220 mail.example.com ESMTP\r\n")
        visit.connection.recv(1000)

    with endpoint(serve) as there:
        with Sender(there.url.replace("http:", "https:"), seconds=5, debug=True) as ours:
            answer = ours.send(b"{}", {})

    assert answer.error == "TLS failed: wrong version number."


def test_connection_does_not_open_itself() -> None:
    """`http.client` would connect again by name, without a check, after its socket was closed."""
    with endpoint(answering(OK)) as there:
        budget = connections.Budget(5)
        target = parse(there.at("localhost"), debug=True)
        http = connections.Connection(target, [ip_address("127.0.0.1")], budget).use(budget)
        http.close()

        with pytest.raises(NotConnected):
            http.request("POST", target.path, b"{}")

    assert there.connections == 1
