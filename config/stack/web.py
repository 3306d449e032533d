"""The web server's command line, for `make run`, the tests and the benchmarks."""

import sys


def command(port: int, *, workers: str = "1", log_level: str = "warning") -> list[str]:
    """Return the arguments that serve on `port` of this machine, as the README runs it in production."""
    return [
        *(sys.executable, "-W", "ignore", "-m", "granian", "--interface", "rsgi"),
        # Deadlines for heads hold for HTTP/1 only; a connection that sends nothing would be kept.
        *("--http", "1", "--http1-header-read-timeout", "10000", "--no-ws"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", workers),
        *("--respawn-failed-workers", "--log-level", log_level, "config.rsgi:server"),
    ]
