"""Send one message to an endpoint, and describe the answer.

The README of this folder compares `http.client` with requests-hardened.
"""

import codecs
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from select import POLLIN, poll
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Final, Self

from msgspec import Struct

from readmodels.webhooks import addresses
from readmodels.webhooks.addresses import InvalidUrl, Resolver
from readmodels.webhooks.connections import (
    AnswerTooLarge,
    Budget,
    Connection,
    ConnectTimeout,
)

LONGEST_BODY: Final = 64 * 1024
LONGEST_TEXT: Final = 1024
_INFORMATIONAL: Final = range(100, 200)
_SUCCESS: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_HEADERS: Final = {
    "content-type": "application/json",
    "user-agent": "payments-review",
    # Nothing is decompressed, so a small answer cannot become a large one.
    "accept-encoding": "identity",
}


class Answer(Struct, frozen=True, kw_only=True):
    """The result of one request. With an `error`, the attempt failed even if there is a status.

    `status` is None if the endpoint sent none. `response` is the beginning of its body.
    """

    status: int | None = None
    error: str = ""
    retry_after: timedelta | None = None
    response: str = ""
    milliseconds: int

    @property
    def delivered(self) -> bool:
        return not self.error and self.status in _SUCCESS


class _Received(Struct):
    """The parts of an answer that have arrived."""

    status: int | None = None
    retry_after: timedelta | None = None
    body: bytes = b""


class Sender:
    """A sender to one endpoint for several threads. It keeps connections alive until `close`."""

    def __init__(
        self, url: str, *, seconds: float, debug: bool, resolver: Resolver = addresses.resolve
    ) -> None:
        self._url = url
        self._seconds = seconds
        self._debug = debug
        self._resolver = resolver
        self._idle: list[Connection] = []
        self._closed = False
        self._lock = Lock()

    def send(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST the body, within `seconds` for everything. The endpoint cannot make this raise."""
        started = monotonic()
        received = _Received()
        error = self._send(body, headers, received)
        return Answer(
            status=received.status,
            error=error,
            retry_after=received.retry_after,
            response=text(received.body),
            milliseconds=round((monotonic() - started) * 1000),
        )

    def close(self) -> None:
        """Close idle connections now, and the others after their requests."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, body: bytes, headers: Mapping[str, str], received: _Received) -> str:
        """Fill `received`, and return the error."""
        try:
            self._exchange(body, headers, received, Budget(self._seconds))
        except InvalidUrl as error:
            return str(error)
        except ConnectTimeout:
            return "The endpoint did not accept a connection in time."
        except TimeoutError:
            return f"The endpoint did not answer completely within {self._seconds:.3g} s."
        except AnswerTooLarge:
            # The status of a refusal is enough, and its page of explanations may be long.
            if received.status is None or received.status in _SUCCESS:
                return f"The answer is longer than {LONGEST_BODY // 1024} KiB."
        except ssl.SSLCertVerificationError as error:
            return f"The TLS certificate is not valid: {error.verify_message.rstrip('.')}."
        except ssl.SSLError as error:
            return f"TLS failed: {(error.reason or 'unknown reason').replace('_', ' ').lower()}."
        except ConnectionRefusedError:
            return "The endpoint refused the connection."
        except ConnectionError:
            return "The endpoint closed the connection before it answered."
        except OSError as error:
            return f"The endpoint cannot be reached: {error.strerror or error}."
        except (HTTPException, ValueError):
            # http.client raises ValueError for some answers, such as a chunk of a negative size.
            return "The endpoint did not answer with valid HTTP."
        if received.status in _REDIRECTS:
            return f"The endpoint redirects ({received.status}); redirects are not followed."
        return ""

    def _exchange(
        self, body: bytes, headers: Mapping[str, str], received: _Received, budget: Budget
    ) -> None:
        target = addresses.parse(self._url, debug=self._debug)
        request = target.path, body, {"host": target.authority, **_HEADERS, **headers}
        if (connection := self._take()) is not None:
            try:
                self._post(connection, *request, received, budget)
            except OSError as error:
                # Otherwise the endpoint has closed the idle connection, so a new one is tried.
                if isinstance(error, TimeoutError) or budget.received:
                    raise
            else:
                return
        found = addresses.check_host(
            target.host, debug=self._debug, resolver=self._resolver, seconds=budget.left()
        )
        self._post(Connection(target, found, budget), *request, received, budget)

    def _post(
        self,
        connection: Connection,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        received: _Received,
        budget: Budget,
    ) -> None:
        reusable = False
        try:
            http = connection.use(budget)
            http.request("POST", path, body, headers)
            with http.getresponse() as response:
                _read(response, received)
                reusable = response.isclosed() and not response.will_close
        finally:
            if reusable:
                self._give_back(connection)
            else:
                connection.close()

    def _take(self) -> Connection | None:
        """Return an idle connection that the endpoint has not closed, or None."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not _is_readable(connection):
                return connection
            connection.close()

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()


def retry_after(value: str, at: datetime) -> timedelta | None:
    """Return how long a Retry-After header asks to wait, or None if it is not valid.

    The header has seconds or a date.
    """
    if re.fullmatch(r"[0-9]{1,9}", value):
        return timedelta(seconds=int(value))
    with suppress(ValueError, OverflowError):
        date = parsedate_to_datetime(value)
        return max(date.replace(tzinfo=date.tzinfo or UTC) - at, timedelta())
    return None


def text(body: bytes) -> str:
    """Return the beginning of a body as text that PostgreSQL can store."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return decoder.decode(body[:LONGEST_TEXT]).replace("\0", "\N{REPLACEMENT CHARACTER}")


def _read(response: HTTPResponse, received: _Received) -> None:
    """Read the whole answer. Raises AnswerTooLarge, OSError and HTTPException."""
    if response.status in _INFORMATIONAL:
        raise HTTPException
    received.status = response.status
    received.retry_after = retry_after(response.getheader("retry-after", ""), datetime.now(UTC))
    body = response.read(LONGEST_BODY + 1)
    if response.getheader("content-encoding", "identity").lower() == "identity":
        received.body = body
    if len(body) > LONGEST_BODY:
        raise AnswerTooLarge
    if response.length:
        raise ConnectionResetError


def _is_readable(connection: Connection) -> bool:
    """Return whether an idle connection was closed, or has bytes that belong to no request."""
    plain_or_tls = connection.http.sock
    waiting = poll()
    waiting.register(plain_or_tls, POLLIN)
    # TLS may have decrypted more bytes of its last record than were read.
    decrypted = isinstance(plain_or_tls, ssl.SSLSocket) and plain_or_tls.pending() > 0
    return decrypted or bool(waiting.poll(0))
