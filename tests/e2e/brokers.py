"""A proxy for Valkey that can answer every command with an error."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from config.stack.valkey import Valkey


class FailingValkey:
    """A proxy on its own socket. While `error` is set, the proxy answers every command with it."""

    def __init__(self, server: Valkey, socket_path: Path) -> None:
        self.error: str | None = None
        self.url = f"unix://{socket_path}?db=0"
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(socket_path))
        self._listener.listen(100)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(str(self._server.socket))
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()
            commands = client.makefile("rb")
            while command := _command(commands):
                if self.error is None:
                    server.sendall(command)
                else:
                    client.sendall(f"-{self.error}\r\n".encode())
            # A command that still waits at the server would take a task that no client gets.
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)


def _command(commands: BinaryIO) -> bytes:
    """Read one command: an array of strings."""
    first = commands.readline()
    whole = first
    for _ in range(int(first[1:]) if first else 0):
        length = commands.readline()
        whole += length + commands.read(int(length[1:]) + 2)
    return whole


@contextmanager
def failing(server: Valkey) -> Iterator[FailingValkey]:
    proxy = FailingValkey(server, server.sockets / "failing")
    try:
        yield proxy
    finally:
        proxy.close()
