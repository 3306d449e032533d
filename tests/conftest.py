"""The servers of the run, and servers for the tests that break them."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.db.models.signals import post_migrate
from hypothesis import settings

from config.stack import processes
from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.support import clusters, servers

# The tests must not end the processes of a `make run` in this checkout.
processes.mark_as("tests")
# Django takes the event loop of Playwright for asynchronous code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
# An example takes longer than usual while another process has the processor.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="run concurrency tests for minutes instead of seconds"
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        processes.end_orphans()
        for server in (servers.postgres(), servers.valkey()):
            server.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        for server in (servers.valkey(), servers.postgres()):
            server.stop()
        shutil.rmtree(servers.postgres().folder, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """Create permissions once. Otherwise Django would look for missing ones after each flush."""
    post_migrate.receivers.clear()
    post_migrate.sender_receivers_cache.clear()


@pytest.fixture
def long(pytestconfig: pytest.Config) -> bool:
    """Return whether tests may take minutes."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(autouse=True)
def _empty_valkey(request: pytest.FixtureRequest) -> None:
    """Remove the wake-ups and rate limits of the test before."""
    if {"db", "transactional_db", "live_server"} & set(request.fixturenames):
        import redis
        from django.conf import settings

        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.flushdb()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """Run a cluster to kill, freeze and restart, with the service's tables and with fsync."""
    with clusters.cluster() as server:
        yield server


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """Run a Valkey to kill, freeze and restart."""
    with clusters.valkey() as server:
        yield server
