"""Serve a WSGI application behind granian's RSGI interface: receive the body first, then take a thread.

With granian's own WSGI interface a request takes a thread as soon as its head has arrived. A few senders of
unfinished bodies could then hold all threads without a time limit.
"""

import asyncio
import io
import sys
from collections import deque
from functools import lru_cache, partial
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final

import msgspec
from granian.rsgi import Scope

from config.http import slow_bodies, uploads
from config.http.middleware import Application, Environment, valid_or_new_id
from config.http.threads import Threads
from config.operations.http_requests import NO_ROUTE, ROUTE, requests
from payments.api.problems.problem import CONTENT_TYPE, Problem, instance_of, problem_details

_TICK_SECONDS: Final = 0.25
# Stands for a header value with non-ASCII bytes, which granian hides. It matches no format, so code
# that reads the header refuses it. Otherwise a precondition or a proxy's header would be ignored.
_UNREADABLE: Final = "\xff"
_CONSTANT: Final[Environment] = {
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "Granian",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}


class Server:
    """The application that `granian --interface rsgi` calls."""

    def __init__(
        self,
        application: Application,
        *,
        threads: int,
        bodies: slow_bodies.Receiver,
        most_uploads: int,
    ) -> None:
        self._application = application
        self._threads = Threads(threads)
        self._bodies = bodies
        self._most_uploads = most_uploads
        self._uploads = 0
        self._answered: deque[asyncio.Future[None]] = deque()

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._bodies.start(loop)
        self._threads.start()
        requests.start()
        self._tick()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._threads.stop()
        requests.stop()
        self._end_answered()
        loop.run_until_complete(asyncio.sleep(0))

    async def __rsgi__(self, scope: Scope, protocol: Any) -> None:
        if scope.proto != "http":
            protocol.close(HTTPStatus.FORBIDDEN)  # a WebSocket
            return
        # A process holds only a few large bodies in memory. Beyond that, uploads have the limit of
        # other requests, so that notes without files still arrive.
        if self._uploads < self._most_uploads and uploads.may_upload(scope.method, scope.path):
            self._uploads += 1
            try:
                await self._answer(scope, protocol, uploads.MOST_BYTES)
            finally:
                self._uploads -= 1
        else:
            await self._answer(scope, protocol)

    async def _answer(self, scope: Scope, protocol: Any, most_bytes: int | None = None) -> None:
        headers = scope.headers
        try:
            body = await self._bodies.receive(protocol, headers, scope.http_version, most_bytes)
        except slow_bodies.BodyError as error:
            _refuse(error, scope, protocol)
            return
        done = self._loop.create_future()
        received = perf_counter()
        self._threads.put(partial(self._serve, scope, headers, body, protocol, done, received))
        self._end_answered()
        await done

    def _serve(
        self,
        scope: Scope,
        headers: Any,
        body: bytes | None,
        protocol: Any,
        done: "asyncio.Future[None]",
        received: float,
    ) -> None:
        """Answer the request in a thread."""
        try:
            environ = environment(scope, headers, body)
            status = answer(self._application, environ, protocol)
            route = environ.get(ROUTE, NO_ROUTE)
            requests.record(route, scope.method, status, perf_counter() - received)
        finally:
            self._answered.append(done)

    def _end_answered(self) -> None:
        """End the coroutines of answered requests.

        The next request or the next tick calls this. Waking the loop from a thread after each request would
        cost a tenth of the time of a POST.
        """
        while self._answered:
            self._answered.popleft().set_result(None)

    def _tick(self) -> None:
        self._end_answered()
        self._loop.call_later(_TICK_SECONDS, self._tick)


def answer(application: Application, environ: Environment, protocol: Any) -> int:
    """Send the answer of `application`. Return its status."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
        started[:] = int(status[:3]), headers

    content = application(environ, start_response)
    try:
        if getattr(content, "streaming", False):
            stream = protocol.response_stream(*started)
            for chunk in content:
                # The call sends the bytes and needs no await.
                stream.send_bytes(chunk)
        else:
            whole = b"".join(content)
            protocol.response_bytes(*started, whole)
    finally:
        # Django ends the request in close() and checks its connections.
        if close := getattr(content, "close", None):
            close()
    return int(started[0])


def environment(scope: Scope, headers: Any, body: bytes | None) -> Environment:
    """Return the WSGI environment of the request (PEP 3333). Headers sent several times are joined."""
    server, server_port = _address(scope.server)
    environ = _CONSTANT | {
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": _as_latin_1(scope.path),
        "QUERY_STRING": _as_latin_1(scope.query_string),
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_NAME": server,
        "SERVER_PORT": server_port,
        "REMOTE_ADDR": _address(scope.client)[0],
        "HTTP_HOST": scope.authority or "",
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body or b""),
    }
    for name in headers.keys():  # noqa: SIM118 - not a mapping
        if key := _key(name):
            values = headers.get_all(name)
            separator = ";" if name == "cookie" else ","
            environ[key] = separator.join(values) if values else _UNREADABLE
    if body is not None:
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ


@lru_cache(maxsize=1_000)
def _key(name: str) -> str | None:
    """Return the name of a header in the environment, None for a header to omit.

    A header with an underscore would get the same name as one with a hyphen, which proxies check
    and set.
    """
    if "_" in name or name in {"content-length", "transfer-encoding"}:
        return None
    key = name.upper().replace("-", "_")
    return key if key == "CONTENT_TYPE" else f"HTTP_{key}"


@lru_cache(maxsize=100)
def _address(text: str) -> tuple[str, str]:
    """Return host and port; a unix socket has a path and no port."""
    if ":" not in text or text.startswith("/"):
        return text, "0"
    host, _, port = text.rpartition(":")
    return host.strip("[]"), port


def _as_latin_1(text: str) -> str:
    """Return the text as WSGI requires it: its UTF-8 bytes, decoded as Latin-1."""
    return text if text.isascii() else text.encode().decode("latin-1")


def _refuse(error: slow_bodies.BodyError, scope: Scope, protocol: Any) -> None:
    """Answer a request whose body did not arrive, and close its connection."""
    match error:
        case slow_bodies.TooSlow():
            problem = Problem(
                "body_too_slow",
                "The body did not arrive in time. Try again with the same Idempotency-Key.",
            )
        case slow_bodies.TooLarge():
            problem = Problem("body_too_large", "The body is larger than any request needs.")
        case _:
            problem = Problem("invalid_request", "The body ended before its announced length.")
    request_id = valid_or_new_id(scope.headers.get("x-request-id"))
    headers = [("connection", "close"), ("x-request-id", request_id)]
    status = problem.kind.status
    requests.record(NO_ROUTE, scope.method, status, 0.0)
    if scope.path.startswith("/api/"):
        details = problem_details(problem, instance=instance_of(scope.path), request_id=request_id)
        headers.append(("content-type", CONTENT_TYPE))
        protocol.response_bytes(status, headers, msgspec.json.encode(details))
    else:
        headers.append(("content-type", "text/plain"))
        protocol.response_bytes(status, headers, f"{problem.detail}\n".encode())
