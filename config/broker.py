"""Keep Celery's worker and beat alive while the broker is unreachable or returns errors.

During a failover, when it is full or while it starts, a broker returns errors such as READONLY,
OOM and LOADING. They are treated like lost connections: the client retries with growing pauses
and logs one line.
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
from kombu.asynchronous import Hub, get_event_loop, set_event_loop
from kombu.exceptions import OperationalError
from kombu.transport import redis as transport

logger: Final = logging.getLogger(__name__)

ERRORS: Final = (redis.RedisError, OperationalError)

# Celery's message about a lost connection begins with this text.
_CONNECTION_LOST: Final = "consumer: Connection to broker lost."
_LONGEST_PAUSE: Final = 5.0
_FIRST_PAUSE: Final = 0.5
# After so many seconds without a failure, the next pause is again the shortest.
_CALM_SECONDS: Final = 15.0


class QoS(transport.QoS):
    """Restore messages at shutdown without kombu's output, which reads like an error."""

    def restore_unacked_once(self, stderr: Any = None) -> None:
        super().restore_unacked_once()


class Channel(transport.Channel):
    """Raise a ConnectionError for a lost connection, where kombu 5.7 raises an AttributeError.

    An AttributeError would end a worker that had an unacknowledged task when the broker died.
    """

    QoS = QoS

    def _connparams(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        if getattr(self.connection, "client", None) is None:
            raise redis.ConnectionError("The connection to the broker is closed.")
        parameters: dict[str, Any] = super()._connparams(*arguments, **options)  # type: ignore[misc]
        return parameters

    def basic_ack(self, delivery_tag: Any, multiple: bool = False) -> None:  # noqa: FBT001, FBT002
        with self._reconnecting_on_failure():
            super().basic_ack(delivery_tag, multiple)

    def basic_reject(self, delivery_tag: Any, requeue: bool = False) -> None:  # noqa: FBT001, FBT002
        with self._reconnecting_on_failure():
            super().basic_reject(delivery_tag, requeue)

    @contextmanager
    def _reconnecting_on_failure(self) -> Iterator[None]:
        """Reconnect if a task cannot be acknowledged.

        Celery would only log the error, and the task would occupy a prefetch slot permanently. After two such
        errors the worker would request no more tasks.
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
    """Make kombu use this channel and treat every Redis error as a connection error.

    Any other error would end Celery.
    """
    transport.Transport.Channel = Channel
    transport.Transport.connection_errors = (
        *transport.Transport.connection_errors,
        redis.RedisError,
    )
    # At each lost connection Celery warns that a default may change.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)


def _connect(connection: Any, callback: Callable[[], None] | None = None) -> Any:
    """Connect, with unlimited retries. `callback` is called every second and may raise to give up."""

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
    """A worker's consumer that reconnects to the broker with unlimited retries."""

    _pause = 0.0
    _failed_at = 0.0

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        now = time.monotonic()
        calm = now - self._failed_at > _CALM_SECONDS
        self._pause = _FIRST_PAUSE if calm else min(2 * self._pause, _LONGEST_PAUSE)
        logger.warning("The broker failed, trying again in %.1f s: %s", self._pause, exc)
        super().on_connection_error_after_connected(exc)
        # Pause before reconnecting: a broker that returns only errors still accepts connections.
        while (left := now + self._pause - time.monotonic()) > 0:
            state.maybe_shutdown()
            time.sleep(min(left, 0.2))
        self._failed_at = time.monotonic()

    def register_with_event_loop(self, hub: Hub) -> None:
        # Needed for each connection, because resetting kombu's hub unsets the current hub.
        set_event_loop(hub)
        super().register_with_event_loop(hub)

    def ensure_connected(self, conn: Any) -> Any:
        connected = _connect(conn, state.maybe_shutdown)
        self.first_connection_attempt = False
        return connected


class Scheduler(beat.Scheduler):
    """A schedule in memory. Every entry runs at least once a minute, so no file is needed."""

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except (beat.SchedulingError, *ERRORS) as error:
            logger.warning("%s was not sent to the broker: %s", entry.name, error)

    def _ensure_connected(self) -> Any:
        return _connect(self.connection)


class OneLine(logging.Filter):
    """Log the broker's errors in one line, without tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if isinstance(error, ERRORS):
            record.msg, record.args, record.exc_info = f"{record.getMessage()}: {error}", (), None
        # `Consumer` has already logged the cause and the next attempt.
        return not record.getMessage().startswith(_CONNECTION_LOST)
