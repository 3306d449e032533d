"""Send commands to Valkey over one connection per thread.

redis-py's connection pool would take more time than the command itself.
"""

import os
import threading
from hashlib import sha1
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry

# A healthy server responds at once. A frozen one must not block a thread.
TIMEOUT_SECONDS: Final = 0.2


class Script:
    """A Lua script that the server runs atomically. After the first run it is called by its digest."""

    def __init__(self, text: str) -> None:
        self.text: Final = text
        self.digest: Final = sha1(text.encode(), usedforsecurity=False).hexdigest()


class Connection(threading.local):
    """A connection to the server at `url`.

    All methods raise RedisError. Each wait ends after TIMEOUT_SECONDS.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._process = 0

    def ask(self, *command: str | float) -> Any:
        """Return the server's reply. The command may run twice if the connection breaks before the reply."""
        if self._process != os.getpid():  # a connection does not survive a fork
            self._connect()
        try:
            return self._ask(*command)
        except redis.ConnectionError:
            # The server may have restarted since the last command. If it is unreachable, this raises again.
            return self._ask(*command)

    def run(self, script: Script, keys: tuple[str, ...], *arguments: str | float) -> Any:
        """Return the result of the script."""
        try:
            return self.ask("EVALSHA", script.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return self.ask("EVAL", script.text, len(keys), *keys, *arguments)

    def _ask(self, *command: str | float) -> Any:
        # This connects if needed. A failure disconnects, so that no later command gets this reply.
        self._connection.send_packed_command(self._connection.pack_command(*command))
        try:
            return self._connection.read_response()
        except NoScriptError:
            raise
        except redis.ResponseError:
            # The server is full, starting or demoted: a new connection may reach another server.
            self._connection.disconnect()
            raise

    def _connect(self) -> None:
        # redis-py does not declare the type.
        self._connection: Any = redis.ConnectionPool.from_url(
            self._url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        ).make_connection()
        self._process = os.getpid()
