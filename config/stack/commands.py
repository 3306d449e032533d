"""The command lines of the service's processes, used by `make run`, the tests and the README."""

import sys
from collections.abc import Sequence
from typing import Final

HOST: Final = "127.0.0.1"
# Celery warns each time that it runs as root, which a container often does.
_WARNINGS: Final = ("-W", "ignore:You're running the worker")
_CELERY: Final = ("celery", "--quiet", "-A", "config")

WORKER: Final = (
    *(*_CELERY, "worker", "--concurrency", "2"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
)
BEAT: Final = (*_CELERY, "beat")


def web(port: int = 8000, *, workers: int = 1, log_level: str = "warning") -> Sequence[str]:
    """Return the command of the web server, with the option to replace workers that ended.

    The number of threads is a setting: WEB_THREADS.
    """
    return (
        *("granian", "--interface", "rsgi"),
        # Deadlines for heads hold for HTTP/1 only; a connection that sends nothing would be kept.
        *("--http", "1", "--http1-header-read-timeout", "10000", "--no-ws"),
        *("--host", HOST, "--port", str(port), "--workers", str(workers)),
        *("--respawn-failed-workers", "--log-level", log_level, "config.rsgi:server"),
    )


def with_python(command: Sequence[str]) -> list[str]:
    """Return the command for this interpreter, so that PATH does not need its environment."""
    return [sys.executable, *_WARNINGS, "-m", *command]
