"""Tell the workers that the log has grown: coalesced, and never in a command's way.

The writer sets a key per projection that lives for a few seconds and publishes one task for those whose
key was not there. The task deletes each key while it holds the checkpoint, before it reads: a writer
that then finds the key still set knows that its events will be read. A task that finds the
checkpoint locked leaves the key alone, and whoever holds the lock looks for it after unlocking.
Whatever gets lost, beat makes up for. A task carries the ids of the request that woke it, so its log
lines tell them; the requests that found the key set are served by the same task.
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

# How long a lost task can keep others from being published.
KEY_MS: Final = 5_000
# How long the broker is left alone after it failed: a frozen one costs a timeout each time.
_BREAK_SECONDS: Final = 5.0
# After each announcement, so that under load one stands for several.
_PAUSE_SECONDS: Final = 0.01
# As one command it costs half of what it costs as several. Returns the numbers of those that were not set.
_SET: Final = Script("""
local new = {}
for number, key in ipairs(KEYS) do
  if redis.call('SET', key, 1, 'NX', 'PX', ARGV[1]) then new[#new + 1] = number end
end
return new
""")
_IDS: Final = ("request_id", "correlation_id")
_ALL: Final = tuple(PROJECTIONS)
BROKER_ERRORS: Final = (redis.RedisError, OperationalError)


def wake_all(**_: object) -> None:
    """Have every projection's task published soon. A receiver of the signal `appended`.

    Returns at once, whatever state the broker is in.
    """
    _announcer().announce()


def wake(*names: str, countdown: float | None = None) -> None:
    """Publish a task for those projections of which none is on its way.

    Raises RedisError or kombu's OperationalError.
    """
    new = _take_keys(names)
    if new:
        _publisher.publish(new, countdown)


def hand_over(name: str) -> None:
    """Publish a task for the projection whatever its key says: there is more to read.

    The key may stand for a task that came while the checkpoint was locked, and went. Raises as `wake`.
    """
    _publisher.publish([name], None)


def clear(name: str) -> None:
    """Take note of all wake-ups so far. Call it while holding the checkpoint."""
    try:
        _valkey.ask("DEL", _key(name))
    except redis.RedisError as error:
        # The key expires by itself and beat does not look at it.
        logger.warning("The wake key of %s was not cleared: %s", name, error)


def is_woken(name: str) -> bool:
    """Whether somebody appended since `clear`."""
    try:
        return bool(_valkey.ask("EXISTS", _key(name)))
    except redis.RedisError as error:
        logger.warning("The wake key of %s was not read, beat will look: %s", name, error)
        return False


def is_first(what: str, *, seconds: int) -> bool:
    """Whether nobody has asked for `what` in so many seconds; True when the broker does not know."""
    try:
        return bool(_valkey.ask("SET", what, 1, "NX", "EX", seconds))
    except redis.RedisError:
        return True


class Announcer:
    """A daemon thread that makes an announcement, and one more for all that come meanwhile.

    What waits is the context of the request that announces, whose ids the task is to carry.
    """

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Context] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="waking", daemon=True)
        self._thread.start()

    def announce(self) -> None:
        # One that waits comes after this call, so it covers what was appended. Two that see none at once
        # are two.
        if self._waiting.empty():
            self._waiting.put(copy_context())

    def _run(self) -> None:
        while True:
            context = self._waiting.get()
            try:
                new = _take_keys(_ALL)
                if new:
                    context.run(_publish_with_ids, new)
                time.sleep(_PAUSE_SECONDS)
            except BROKER_ERRORS as error:
                logger.warning("The broker does not answer, beat will project: %s", error)
                time.sleep(_BREAK_SECONDS)
            except Exception:
                # Whatever it is, the thread must live on: it is the only one that wakes anybody.
                logger.exception("The projections could not be woken.")


class _Publisher(threading.local):
    """A thread's own connection to the broker, with timeouts: Celery's would wait for a frozen one."""

    _connection: kombu.Connection | None = None

    def publish(self, names: Sequence[str], countdown: float | None) -> None:
        if self._connection is None:
            timeouts = {
                "socket_timeout": TIMEOUT_SECONDS,
                "socket_connect_timeout": TIMEOUT_SECONDS,
            }
            self._connection = current_app.connection_for_write(transport_options=timeouts)
        try:
            current_app.send_task(
                "readmodels.project",
                args=names,
                countdown=countdown,
                connection=self._connection,
                retry=False,
            )
        except BaseException:
            self._connection = None  # whatever is left of it, the next one begins anew
            raise


_valkey: Final = Connection(settings.REDIS_URL)
_publisher: Final = _Publisher()
_announcers: dict[int, Announcer] = {}
_lock = threading.Lock()


def _announcer() -> Announcer:
    # Threads do not survive a fork, hence one for each process id.
    announcer = _announcers.get(os.getpid())
    if announcer is None:
        with _lock:
            announcer = _announcers.get(os.getpid())
            if announcer is None:
                announcer = _announcers[os.getpid()] = Announcer()
    return announcer


def _publish_with_ids(names: Sequence[str]) -> None:
    # django-structlog sends what is bound along with the task.
    bound = structlog.contextvars.get_contextvars()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**{name: bound[name] for name in _IDS if name in bound})
    _publisher.publish(names, None)


def _take_keys(names: Sequence[str]) -> list[str]:
    """Those whose key was not there. It is now."""
    return [names[number - 1] for number in _valkey.run(_SET, tuple(map(_key, names)), KEY_MS)]


def _key(name: str) -> str:
    return f"wake:{name}"
