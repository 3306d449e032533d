"""Connections to endpoints, limited in time and bytes.

`http.client` speaks HTTP over a socket that this module opens. It is not allowed to open one
itself, so each connection goes to an address that was checked.
"""

import socket
import ssl
from collections.abc import Sequence
from functools import cache
from http.client import HTTPConnection
from ipaddress import IPv4Address
from time import monotonic
from typing import Any, Final

from readmodels.webhooks.addresses import Address, Target

CONNECT_SECONDS: Final = 3.0
# The most bytes of a whole answer, including headers and framing.
MOST_BYTES: Final = 128 * 1024
_MOST_ADDRESSES: Final = 4
_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)  # Linux


class AnswerTooLarge(Exception):
    """The endpoint sent more than MOST_BYTES."""


class ConnectTimeout(Exception):
    """No address accepted the connection in time."""


class Budget:
    """The time and the bytes that one request may still take."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds
        self.received = 0

    def left(self) -> float:
        """Return the seconds that are left. Raises TimeoutError."""
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def receive(self, count: int) -> None:
        """Count received bytes. Raises AnswerTooLarge."""
        self.received += count
        if self.received > MOST_BYTES:
            raise AnswerTooLarge


class BudgetSocket(socket.socket):
    """A socket whose operations share one budget.

    A plain timeout would restart with each byte, so a slow endpoint could hold a thread for hours.
    """

    budget: Budget

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        if _QUICKACK is not None:
            # Otherwise a server that writes head and body separately waits 40 ms for the ACK in
            # between.
            self.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        self.settimeout(self.budget.left())
        count = super().recv_into(*args, **kwargs)
        self.budget.receive(count)
        return count

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(self.budget.left())
        super().sendall(*args, **kwargs)


class TlsBudgetSocket(BudgetSocket, ssl.SSLSocket):
    pass


class Connection:
    """A connection that is kept alive between requests."""

    def __init__(self, target: Target, addresses: Sequence[Address], budget: Budget) -> None:
        self._socket = _open(target, addresses, budget)
        self.http = HTTPConnection(target.host, target.port)
        self.http.auto_open = 0
        self.http.sock = self._socket

    def use(self, budget: Budget) -> HTTPConnection:
        """Return the HTTP connection for the next request, which gets this budget."""
        self._socket.budget = budget
        return self.http

    def close(self) -> None:
        self.http.close()
        self._socket.close()


def _open(target: Target, addresses: Sequence[Address], budget: Budget) -> BudgetSocket:
    """Return a connected socket. Raises ConnectTimeout and OSError."""
    plain = _connect(target.port, addresses, budget)
    plain.budget = budget
    if target.scheme == "http":
        return plain
    try:
        # The handshake as a whole takes at most the socket's timeout.
        plain.settimeout(budget.left())
        wrapped = _tls().wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise
    assert isinstance(wrapped, TlsBudgetSocket)  # noqa: S101 - for mypy
    wrapped.budget = budget
    return wrapped


def _connect(port: int, addresses: Sequence[Address], budget: Budget) -> BudgetSocket:
    """Try the first addresses, and share the time among them."""
    tried = addresses[:_MOST_ADDRESSES]
    connecting = Budget(min(CONNECT_SECONDS, budget.left()))
    failure: OSError = TimeoutError()
    for index, address in enumerate(tried):
        family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
        try:
            connection = BudgetSocket(family, socket.SOCK_STREAM)
        except OSError as error:  # no IPv6 on this machine
            failure = error
            continue
        try:
            connection.settimeout(connecting.left() / (len(tried) - index))
            connection.connect((str(address), port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    if isinstance(failure, TimeoutError):
        raise ConnectTimeout
    raise failure


@cache
def _tls() -> ssl.SSLContext:
    """Return a context that verifies certificates and host names by the system's authorities."""
    context = ssl.create_default_context()
    context.sslsocket_class = TlsBudgetSocket
    return context
