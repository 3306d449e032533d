"""Receive a request's body completely before it takes a thread, within a deadline and a size limit.

A sender that stops in the middle therefore blocks no thread. If a process has too many unfinished bodies, it
drops the oldest one. Normal bodies arrive within milliseconds, so the oldest one has a slow sender.
"""

import asyncio
from typing import Any, Final, Protocol

from granian.rsgi import (  # type: ignore[attr-defined]  # no explicit re-exports
    HTTPProtocol,
    ProtocolClosed,
    ProtocolError,
)

# How often deadlines are checked.
_SWEEP_SECONDS: Final = 0.25
_MOST_DIGITS: Final = 18


class BodyError(Exception):
    """The body did not arrive, so the application is not called."""


class TooSlow(BodyError):
    """The body did not arrive in time, or was dropped."""


class TooLarge(BodyError):
    """The body is too large, or its announced length is."""


class Broken(BodyError):
    """The sender hung up early, or sent more or fewer bytes than it announced."""


class Headers(Protocol):
    """The part of granian's headers that is used here."""

    def get(self, key: str, default: Any = None) -> Any: ...


class Receiver:
    """The bodies that are arriving at one process. Use it only in the event loop's thread."""

    def __init__(self, *, seconds: float, most_bytes: int, most_unfinished: int) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._most_unfinished = most_unfinished
        # The deadline of each body, the oldest first.
        self._unfinished: dict[asyncio.Future[bytes], float] = {}

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Check the deadlines for as long as the loop runs."""
        self._loop = loop
        loop.call_later(_SWEEP_SECONDS, self._sweep)

    async def receive(
        self, protocol: HTTPProtocol, headers: Headers, version: str, most_bytes: int | None = None
    ) -> bytes | None:
        """Return the whole body, or None if the request has none. Raises BodyError.

        `most_bytes` replaces the usual limit.
        """
        most_bytes = most_bytes or self._most_bytes
        arriving: Any
        length = None
        if headers.get("transfer-encoding") is None and (
            (announced := headers.get("content-length")) is not None or version != "2"
        ):
            length = _number(announced)
            if length == 0:
                return None if announced is None else b""
            if length > most_bytes:
                raise TooLarge
            arriving = protocol()
        else:
            arriving = self._loop.create_task(self._chunks(protocol, most_bytes))
        body = await self._in_time(arriving)
        if length is not None and len(body) != length:
            raise Broken
        return body

    async def _in_time(self, arriving: "asyncio.Future[bytes]") -> bytes:
        self._unfinished[arriving] = self._loop.time() + self._seconds
        if len(self._unfinished) > self._most_unfinished:
            next(iter(self._unfinished)).cancel()
        try:
            return await arriving
        except asyncio.CancelledError:
            raise TooSlow from None
        except (ProtocolClosed, ProtocolError):
            raise Broken from None
        finally:
            del self._unfinished[arriving]

    async def _chunks(self, protocol: HTTPProtocol, most_bytes: int) -> bytes:
        """Return a body whose length was not announced."""
        body = bytearray()
        ends = 0
        async for chunk in protocol:
            body += chunk
            ends += not chunk
            if len(body) > most_bytes:
                raise TooLarge
        # The server yields one empty chunk at the end of a body, and a second one after an error.
        if ends != 1:
            raise Broken
        return bytes(body)

    def _sweep(self) -> None:
        now = self._loop.time()
        for arriving, deadline in list(self._unfinished.items()):
            if deadline > now:
                break
            arriving.cancel()
        self._loop.call_later(_SWEEP_SECONDS, self._sweep)


def _number(announced: str | None) -> int:
    if announced is None:
        return 0
    if not announced.isascii() or not announced.isdecimal() or len(announced) > _MOST_DIGITS:
        raise Broken
    return int(announced)
