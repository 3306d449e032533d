"""Commands to Valkey over a connection of each thread: a client with its pool costs more than they do."""

import os
import threading
from hashlib import sha1
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry

# A server that is there answers at once; one that is frozen should not hold a thread.
TIMEOUT_SECONDS: Final = 0.2


class Script:
    """Lua that the server runs as one command, known to it by its digest after the first time."""

    def __init__(self, text: str) -> None:
        self.text: Final = text
        self.digest: Final = sha1(text.encode(), usedforsecurity=False).hexdigest()


class Connection(threading.local):
    """To the server at `url`. All methods raise RedisError; each of their waits ends after the timeout."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._process = 0

    def ask(self, *command: str | float) -> Any:
        """The server's answer. A command may run twice, if the server is lost before it has answered."""
        if self._process != os.getpid():  # a connection does not survive a fork
            self._connect()
        try:
            return self._ask(*command)
        except redis.ConnectionError:
            # The server has been restarted since the last command. If it is away, this fails too.
            return self._ask(*command)

    def run(self, script: Script, keys: tuple[str, ...], *arguments: str | float) -> Any:
        """What the script returns."""
        try:
            return self.ask("EVALSHA", script.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return self.ask("EVAL", script.text, len(keys), *keys, *arguments)

    def _ask(self, *command: str | float) -> Any:
        # Connects if need be. A failure disconnects: no answer is ever taken for another command's.
        self._connection.send_packed_command(self._connection.pack_command(*command))
        try:
            return self._connection.read_response()
        except NoScriptError:
            raise
        except redis.ResponseError:
            # The server is full, starting or demoted: the next connection may reach another one.
            self._connection.disconnect()
            raise

    def _connect(self) -> None:
        # The library does not say its type.
        self._connection: Any = redis.ConnectionPool.from_url(
            self._url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        ).make_connection()
        self._process = os.getpid()
