"""Minimal connection poolers between the service and the test's PostgreSQL."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_PORT: Final = 5432
_REFUSED: Final = "unsupported startup parameter: options"


@contextmanager
def pooler(folder: Path, server: str, *, refuses: bool) -> Iterator[Path]:
    """Listen in `folder` for clients of the server whose socket is in `server`.

    The pooler passes no startup options on. With `refuses`, it refuses clients that send options,
    as older poolers do. Without, it drops the options.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / f".s.PGSQL.{_PORT}"))
        listener.listen()
        threading.Thread(target=_accept, args=(listener, server, refuses), daemon=True).start()
        yield folder
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, server: str, refuses: bool) -> None:  # noqa: FBT001
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, server, refuses), daemon=True).start()


def _serve(client: socket.socket, server: str, refuses: bool) -> None:  # noqa: FBT001
    with client, suppress(OSError):
        (length,) = struct.unpack("!i", client.recv(4))
        start = client.recv(length - 4)
        fields = start[4:].rstrip(b"\0").split(b"\0")
        given = dict(zip(fields[::2], fields[1::2], strict=True))
        if given.pop(b"options", None) is not None and refuses:
            text = b"SFATAL\0VFATAL\0C08P01\0M" + _REFUSED.encode() + b"\0\0"
            client.sendall(b"E" + struct.pack("!i", len(text) + 4) + text)
            return
        fields = [field for pair in given.items() for field in pair]
        start = start[:4] + b"".join(field + b"\0" for field in fields) + b"\0"
        with socket.socket(socket.AF_UNIX) as backend:
            backend.connect(f"{server}/.s.PGSQL.{_PORT}")
            backend.sendall(struct.pack("!i", len(start) + 4) + start)
            back = threading.Thread(target=_copy, args=(backend, client), daemon=True)
            back.start()
            _copy(client, backend)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def transaction_pooler(folder: Path, server: str, **start: str) -> Iterator[Path]:
    """Listen in `folder` for clients that take turns on one connection, by transaction."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as backend:
        backend.connect(f"{server}/.s.PGSQL.{_PORT}")
        fields = (
            b"".join(field.encode() + b"\0" for pair in start.items() for field in pair) + b"\0"
        )
        backend.sendall(struct.pack("!ii", len(fields) + 8, 3 << 16) + fields)
        shared = _Shared(backend)
        listener.bind(str(folder / f".s.PGSQL.{_PORT}"))
        listener.listen()
        threading.Thread(target=shared.accept, args=(listener,), daemon=True).start()
        yield folder
        listener.shutdown(socket.SHUT_RDWR)


class _Shared:
    """One connection to the server, which a client holds during a transaction."""

    def __init__(self, backend: socket.socket) -> None:
        self._backend = backend
        self._answers = backend.makefile("rb")
        self._free = threading.Lock()
        self._greeting = self._until_ready()[0]

    def accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as received, suppress(OSError, struct.error):
            received.read(struct.unpack("!i", received.read(4))[0] - 4)
            client.sendall(self._greeting)
            held = False
            while (kind := received.read(1)) and kind != b"X":
                length = received.read(4)
                body = received.read(struct.unpack("!i", length)[0] - 4)
                if not held:
                    self._free.acquire()
                    held = True
                self._backend.sendall(kind + length + body)
                if kind in {b"Q", b"S"}:
                    answer, status = self._until_ready()
                    client.sendall(answer)
                    if status == b"I":
                        held = False
                        self._free.release()

    def _until_ready(self) -> tuple[bytes, bytes]:
        answer = b""
        while True:
            head = self._answers.read(5)
            body = self._answers.read(struct.unpack("!i", head[1:])[0] - 4)
            answer += head + body
            if head[:1] == b"Z":
                return answer, body
