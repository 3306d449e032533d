"""The embedded servers start again after a crash, and other servers are left alone."""

import os
import signal
import threading
from contextlib import suppress

import psutil
import psycopg
import pytest

from config.stack.postgres import Postgres
from tests.support import servers

pytestmark = pytest.mark.slow


def test_killed_server_starts_again_despite_a_busy_backend(
    own_postgres: Postgres,
) -> None:
    """A busy backend does not notice that the server has ended, and keeps the shared memory."""
    connection = psycopg.connect(own_postgres.url("postgres"), autocommit=True)
    backend = psutil.Process(connection.info.backend_pid)

    def compute() -> None:
        with suppress(psycopg.OperationalError):
            connection.execute("SELECT count(*) FROM generate_series(1, 1e15)")

    thread = threading.Thread(target=compute)
    thread.start()
    assert own_postgres.process is not None
    try:
        while backend.status() != psutil.STATUS_RUNNING:
            pass
        os.kill(own_postgres.process.pid, signal.SIGKILL)
        own_postgres.process.wait()
        assert backend.is_running()
        own_postgres.start()
        assert not backend.is_running()
    finally:
        with suppress(psutil.NoSuchProcess):
            backend.kill()
        thread.join()
        connection.close()
    with psycopg.connect(servers.postgres().url("postgres")) as other:  # still there
        assert other.execute("SELECT 1").fetchone() == (1,)
