"""Celery's worker and beat while the broker is away, or answers every command with an error.

An error (OOM, READONLY, LOADING, ...) is how a server that fails over, is full or has just started says that
it cannot serve. It is treated as a lost connection: tried again with growing pauses, logged in one line.
"""

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import redis
from celery import beat
from celery.exceptions import CPendingDeprecationWarning
from celery.worker import consumer, state
from kombu.asynchronous import get_event_loop
from kombu.exceptions import OperationalError
from kombu.transport import redis as transport

logger: Final = logging.getLogger(__name__)

ERRORS: Final = (redis.RedisError, OperationalError)

# How Celery begins what it says of a connection that was lost.
_SAID: Final = "consumer: Connection to broker lost."
_LONGEST_PAUSE: Final = 5.0
_FIRST_PAUSE: Final = 0.5
# A worker that has gone on for so long begins with the first pause again.
_CALM_SECONDS: Final = 15.0


class QoS(transport.QoS):
    """Logs at shutdown how many messages go back to the queue; kombu prints it, though nothing is wrong."""

    def restore_unacked_once(self, stderr: Any = None) -> None:
        super().restore_unacked_once()


class Channel(transport.Channel):
    """Says of a connection that was lost that it is, where kombu 5.7 fails to find its host.

    Celery survives the one: a worker that met the other, with a task that it had not acknowledged yet when
    the broker died, ended.
    """

    QoS = QoS

    def _connparams(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        if getattr(self.connection, "client", None) is None:
            raise redis.ConnectionError("The connection to the broker is closed.")
        parameters: dict[str, Any] = super()._connparams(*arguments, **options)  # type: ignore[misc]
        return parameters

    def basic_ack(self, delivery_tag: Any, multiple: bool = False) -> None:  # noqa: FBT001, FBT002
        with self._failing_as_a_whole():
            super().basic_ack(delivery_tag, multiple)

    def basic_reject(self, delivery_tag: Any, requeue: bool = False) -> None:  # noqa: FBT001, FBT002
        with self._failing_as_a_whole():
            super().basic_reject(delivery_tag, requeue)

    @contextmanager
    def _failing_as_a_whole(self) -> Iterator[None]:
        """Begin anew where a task is not acknowledged.

        Celery only logs it, and the task's place among those that a worker may have is never free again:
        after two of them the worker asked for nothing more.
        """
        try:
            yield
        except redis.RedisError as error:
            if hub := get_event_loop():
                hub.call_soon(_fail, error)
            raise


def _fail(error: Exception) -> NoReturn:
    raise error


def install() -> None:
    """Have kombu's transport use what is here. Celery ends at errors that are not of the connection."""
    transport.Transport.Channel = Channel
    transport.Transport.connection_errors = (
        *transport.Transport.connection_errors,
        redis.RedisError,
    )
    # Celery announces with each lost connection that a default may change.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)


def _connected(connection: Any, callback: Callable[[], None] | None = None) -> Any:
    """Connect, however long it takes; `callback` is called every second, and may raise to give up."""

    def log_failure(error: Exception, pause: float) -> None:
        logger.warning("The broker cannot be reached, trying again in %.0f s: %s", pause, error)

    return connection.ensure_connection(
        log_failure,
        None,
        interval_start=1,
        interval_step=1,
        interval_max=_LONGEST_PAUSE,
        callback=callback,
    )


class Consumer(consumer.Consumer):
    """A worker's connection to the broker, tried again for as long as it takes."""

    _pause = 0.0
    _failed_at = 0.0

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        now = time.monotonic()
        calm = now - self._failed_at > _CALM_SECONDS
        self._pause = _FIRST_PAUSE if calm else min(2 * self._pause, _LONGEST_PAUSE)
        logger.warning("The broker failed, trying again in %.1f s: %s", self._pause, exc)
        super().on_connection_error_after_connected(exc)
        # Connecting succeeds with a server that answers everything with an error.
        while (left := now + self._pause - time.monotonic()) > 0:
            state.maybe_shutdown()
            time.sleep(min(left, 0.2))
        self._failed_at = time.monotonic()

    def ensure_connected(self, conn: Any) -> Any:
        connected = _connected(conn, state.maybe_shutdown)
        self.first_connection_attempt = False
        return connected


class Scheduler(beat.Scheduler):
    """Beat's schedule, in memory: a file would be one more to keep, and no entry is rarer than a minute."""

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except (beat.SchedulingError, *ERRORS) as error:
            logger.warning("%s was not sent to the broker: %s", entry.name, error)

    def _ensure_connected(self) -> Any:
        return _connected(self.connection)


class OneLine(logging.Filter):
    """Leaves tracebacks out of what is logged about the broker: where it failed says nothing, and often."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if isinstance(error, ERRORS):
            record.msg, record.args, record.exc_info = f"{record.getMessage()}: {error}", (), None
        # The consumer has said why, and when it tries again.
        return not record.getMessage().startswith(_SAID)
