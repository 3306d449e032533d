"""Endpoints on loopback sockets that answer as a test wants, well or badly."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Thread
from typing import Final

# A function that handles one connection, which is closed when the function returns.
Serve = Callable[["Visit"], object]

OK: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Visit:
    """A connection to an endpoint."""

    def __init__(self, connection: socket.socket, endpoint: "Endpoint") -> None:
        self.connection = connection
        self._endpoint = endpoint
        self._input = connection.makefile("rb")

    def read(self) -> bytes:
        """Return the next request, or b"" after the last one."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (line := self._input.readline()):
                return b""
            head += line
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().splitlines()
            if line.startswith(b"content-length:")
        )
        request = head + self._input.read(length)
        with self._endpoint.lock:
            self._endpoint.requests.append(request)
        return request

    def write(self, data: bytes) -> None:
        self.connection.sendall(data)

    def close(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self._input.close()
        self.connection.close()


class Endpoint:
    """A listening endpoint, and what it received."""

    def __init__(self, listener: socket.socket, *, tls: bool) -> None:
        self.port: int = listener.getsockname()[1]
        self.scheme = "https" if tls else "http"
        self.connections = 0
        self.requests: list[bytes] = []
        self.lock = Lock()

    @property
    def url(self) -> str:
        return self.at("127.0.0.1")

    def at(self, host: str) -> str:
        return f"{self.scheme}://{host}:{self.port}/hook"


@contextmanager
def endpoint(serve: Serve, *, tls: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    """Let `serve` handle each connection in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = Endpoint(listener, tls=tls is not None)
    visits: list[Visit] = []
    threads: list[Thread] = []

    def handle(accepted: socket.socket) -> None:
        # The sender may end the connection at its deadline or refuse the certificate.
        with suppress(OSError):
            connection = accepted
            if tls is not None:
                connection = tls.wrap_socket(accepted, server_side=True)
            visit = Visit(connection, found)
            visits.append(visit)
            try:
                serve(visit)
            finally:
                visit.close()
        accepted.close()

    last = socket.socket()
    last.bind(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            accepted, peer = listener.accept()
            if peer == last.getsockname():
                accepted.close()
                return
            found.connections += 1
            threads.append(Thread(target=handle, args=(accepted,), daemon=True))
            threads[-1].start()

    accepting = Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield found
    finally:
        # Connections are accepted in order, so after this one all earlier ones are counted.
        last.connect(("127.0.0.1", found.port))
        accepting.join()
        last.close()
        listener.close()
        for visit in visits:
            with suppress(OSError):
                visit.connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(timeout=10)


def answering(*answers: bytes) -> Serve:
    """Return an endpoint with these answers to a connection's requests. The last answer repeats."""

    def serve(visit: Visit) -> None:
        given = 0
        while visit.read():
            visit.write(answers[min(given, len(answers) - 1)])
            given += 1

    return serve


def answering_once(answer: bytes) -> Serve:
    """Return an endpoint that closes each connection after its first answer."""

    def serve(visit: Visit) -> None:
        visit.read()
        visit.write(answer)

    return serve
