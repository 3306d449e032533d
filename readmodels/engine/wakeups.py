"""Wake the workers when there is something new to read, without delaying commands.

A reader is a projection or a webhook endpoint. A writer sets a key per reader, which expires after
a few seconds, and publishes a task for the readers whose key was missing. The task deletes the key
while it holds the reader's lock, before it reads. A writer that finds the key still set therefore
knows that its events will be read. A task that finds the reader locked leaves the key alone, and
the holder of the lock checks the key after it unlocks. Beat compensates for lost keys and tasks. A
task carries the ids of the request that woke it, for its log lines. It also serves the requests
that found the key set.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Sequence
from contextvars import Context, copy_context
from typing import Final

import kombu
import redis
import structlog
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from payments.valkey import TIMEOUT_SECONDS, Connection, Script
from readmodels.projections import PROJECTIONS

logger = logging.getLogger(__name__)

# How long a lost task can prevent new ones, in milliseconds.
KEY_MS: Final = 5_000
# The pause after a failure of the broker: each call to a frozen broker costs a timeout.
_BREAK_SECONDS: Final = 5.0
# Pause after each announcement, so that under load one covers several appends.
_PAUSE_SECONDS: Final = 0.01
# One script costs half as much as several commands. It returns the numbers of the missing keys.
_SET: Final = Script("""
local new = {}
for number, key in ipairs(KEYS) do
  if redis.call('SET', key, 1, 'NX', 'PX', ARGV[1]) then new[#new + 1] = number end
end
return new
""")
_IDS: Final = ("request_id", "correlation_id")
BROKER_ERRORS: Final = (redis.RedisError, OperationalError)


def wake_all(**_: object) -> None:
    """Wake all projections soon. A receiver of the signal `appended`.

    Returns at once, even if the broker is unreachable.
    """
    _announcer().announce()


class Readers:
    """The readers that one Celery task wakes. Its arguments are their names.

    Their keys begin with `prefix`. If `together` is True, one task wakes several readers.
    """

    def __init__(self, task: str, prefix: str, *, together: bool) -> None:
        self._task = task
        self._prefix = prefix
        self._together = together

    def wake(self, *names: str, countdown: float | None = None) -> None:
        """Publish tasks for the readers that have none on its way.

        `countdown` is in seconds. Raises RedisError or kombu's OperationalError.
        """
        if new := self.take_keys(names):
            self.publish(new, countdown)

    def hand_over(self, name: str) -> None:
        """Publish a task for a reader that has more to read, even if its key is set.

        The key may belong to a task that found the reader locked and ended. Raises what `wake` raises.
        """
        self.publish([name])

    def clear(self, name: str) -> None:
        """Clear the reader's key. Call this while holding its lock."""
        try:
            _valkey.ask("DEL", self._key(name))
        except redis.RedisError as error:
            # Harmless, because the key expires after a few seconds.
            logger.warning("The wake key of %s was not cleared: %s", name, error)

    def is_woken(self, name: str) -> bool:
        """Return whether a writer set the key since `clear`."""
        try:
            return bool(_valkey.ask("EXISTS", self._key(name)))
        except redis.RedisError as error:
            logger.warning("The wake key of %s was not read, so beat wakes it: %s", name, error)
            return False

    def take_keys(self, names: Sequence[str]) -> list[str]:
        """Set the keys. Return the readers whose key was missing."""
        keys = tuple(map(self._key, names))
        return [names[number - 1] for number in _valkey.run(_SET, keys, KEY_MS)]

    def publish(self, names: Sequence[str], countdown: float | None = None) -> None:
        for arguments in [names] if self._together else [[name] for name in names]:
            _publisher.publish(self._task, arguments, countdown)

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"


def is_first(name: str, *, seconds: int) -> bool:
    """Return whether this is the first call with `name` in `seconds`, or the broker is unreachable."""
    try:
        return bool(_valkey.ask("SET", name, 1, "NX", "EX", seconds))
    except redis.RedisError:
        return True


class Announcer:
    """A daemon thread that makes an announcement, and one more for all that arrive in the meantime.

    The queue holds request contexts, because a task carries the ids of the request that woke it.
    """

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Context] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="waking", daemon=True)
        self._thread.start()

    def announce(self) -> None:
        # A waiting announcement runs after this call, so it covers this append. If two threads see
        # an empty queue at the same time, both add a context, which is harmless.
        if self._waiting.empty():
            self._waiting.put(copy_context())

    def _run(self) -> None:
        while True:
            context = self._waiting.get()
            try:
                new = projections.take_keys(_ALL)
                if new:
                    context.run(_publish_with_ids, new)
                time.sleep(_PAUSE_SECONDS)
            except BROKER_ERRORS as error:
                logger.warning("The broker does not answer, beat takes over: %s", error)
                time.sleep(_BREAK_SECONDS)
            except Exception:
                # The thread must not end, because nothing else wakes the projections.
                logger.exception("The projections could not be woken.")


class _Publisher(threading.local):
    """A thread's own connection to the broker, with timeouts. Celery's own would wait for a frozen broker."""

    _connection: kombu.Connection | None = None

    def publish(self, task: str, arguments: Sequence[str], countdown: float | None) -> None:
        if self._connection is None:
            timeouts = {
                "socket_timeout": TIMEOUT_SECONDS,
                "socket_connect_timeout": TIMEOUT_SECONDS,
            }
            self._connection = current_app.connection_for_write(transport_options=timeouts)
        try:
            current_app.send_task(
                task,
                args=arguments,
                countdown=countdown,
                connection=self._connection,
                retry=False,
            )
        except BaseException:
            self._connection = None  # its state is unknown: the next call opens another
            raise


_valkey: Final = Connection(settings.REDIS_URL)
_publisher: Final = _Publisher()
projections: Final = Readers("readmodels.project", "wake", together=True)
_ALL: Final = tuple(PROJECTIONS)
_announcers: dict[int, Announcer] = {}
_lock = threading.Lock()


def _announcer() -> Announcer:
    # One per process: threads do not survive a fork.
    announcer = _announcers.get(os.getpid())
    if announcer is None:
        with _lock:
            announcer = _announcers.get(os.getpid())
            if announcer is None:
                announcer = _announcers[os.getpid()] = Announcer()
    return announcer


def _publish_with_ids(names: Sequence[str]) -> None:
    # django-structlog sends the bound variables along with the task.
    bound = structlog.contextvars.get_contextvars()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**{name: bound[name] for name in _IDS if name in bound})
    projections.publish(names)
