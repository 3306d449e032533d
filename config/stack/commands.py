"""The command lines for the web server, the workers and beat. config/README.md repeats them."""

import sys
from collections.abc import Sequence
from typing import Final

HOST: Final = "127.0.0.1"
# Celery warns at each start that it runs as root, which is usual in containers.
_WARNINGS: Final = ("-W", "ignore:You're running the worker")
_CELERY: Final = ("celery", "--quiet", "-A", "config")

_WORKER: Final = (
    *(*_CELERY, "worker", "--without-gossip", "--without-mingle", "--without-heartbeat"),
)

WORKER: Final = (*_WORKER, "--queues", "celery", "--concurrency", "2")
# Threads, because a delivery mostly waits for the endpoint.
WEBHOOKS: Final = (
    *(*_WORKER, "--queues", "webhooks", "--hostname", "webhooks@"),
    *("--pool", "threads", "--concurrency", "16"),
)
BEAT: Final = (*_CELERY, "beat")


def web(port: int = 8000, *, workers: int = 1, log_level: str = "warning") -> Sequence[str]:
    """Return the command of the web server, which replaces workers that end.

    The setting WEB_THREADS is the number of threads.
    """
    return (
        *("granian", "--interface", "rsgi"),
        # The deadline for request heads exists for HTTP/1 only.
        *("--http", "1", "--http1-header-read-timeout", "10000", "--no-ws"),
        *("--host", HOST, "--port", str(port), "--workers", str(workers)),
        *("--respawn-failed-workers", "--log-level", log_level, "config.rsgi:server"),
    )


def with_python(command: Sequence[str]) -> list[str]:
    """Return the command, run by this interpreter. PATH need not contain .venv/bin."""
    return [sys.executable, *_WARNINGS, "-m", *command]
