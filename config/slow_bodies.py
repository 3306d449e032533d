"""Keeps clients that send half a body from holding all threads: the server would wait for the rest for ever.

A body that has arrived is read in no time, so a few places to read in are enough for all requests.
Whoever finds none in a tenth of a second is sent away; what has no body is served meanwhile.
"""

import errno
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

_PATIENCE_SECONDS: Final = 0.1

Environment = dict[str, Any]
Application = Callable[[Environment, Any], Iterable[bytes]]


class _Body:
    """What Django reads of `wsgi.input`."""

    def __init__(self, body: Any, places: threading.Semaphore) -> None:
        self._body = body
        self._places = places

    def read(self, *size: int) -> bytes:
        return self._in_a_place(self._body.read, *size)

    def readline(self, *size: int) -> bytes:
        return self._in_a_place(self._body.readline, *size)

    def _in_a_place(self, read: Callable[..., bytes], *size: int) -> bytes:
        if not self._places.acquire(timeout=_PATIENCE_SECONDS):
            # As of a connection that was lost, Django tells of it by an UnreadablePostError.
            raise OSError(errno.EBUSY, "Too many bodies arrive too slowly.")
        try:
            return read(*size)
        finally:
            self._places.release()


def bounded(application: Application, *, places: int) -> Application:
    """The WSGI application, in which at most so many threads wait for bodies at once."""
    semaphore = threading.Semaphore(places)

    def serve(environ: Environment, start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"] = _Body(environ["wsgi.input"], semaphore)
        return application(environ, start_response)

    return serve
